"""Months and hours, by which work is counted. All times are UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import StringConstraints

from lucid.base.clock import format_time, parse_time
from lucid.base.errors import InvalidInput

MONTH_PATTERN = r"^20\d\d-(0[1-9]|1[0-2])$"
Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
"""A month, as 2026-11."""


def bounds(month: str) -> tuple[str, str]:
    """The first moment of the month and of the next one. Raises InvalidInput."""
    if not re.fullmatch(MONTH_PATTERN, month):
        raise InvalidInput(f"month: expected one like 2026-11, not {month[:20]!r}", field="month")
    year, number = int(month[:4]), int(month[5:])
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return format_time(datetime(year, number, 1, tzinfo=UTC)), format_time(following)


def month_of(time: str) -> str:
    """The month that a time lies in."""
    return time[:7]


def hour_of(time: str) -> str:
    """The first moment of the hour that a time lies in."""
    return f"{time[:13]}:00:00.000000Z"


def minute_of(time: str) -> int:
    """The minute of its hour that a time lies in, from 0."""
    return int(time[14:16])


def hour_end(hour: str) -> str:
    return format_time(parse_time(hour) + timedelta(hours=1))


def minutes_between(start: str, end: str) -> int:
    """Whole minutes from `start` to `end`, 0 if that is not after it."""
    return max(0, int((parse_time(end) - parse_time(start)).total_seconds() // 60))
