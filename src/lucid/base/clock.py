"""Time: wall-clock stamps for people and monotonic time for durations.

Nothing in Lucid measures a duration with the wall clock, so a clock that steps back changes no
recording; stamps that must not decrease are taken through `Stamps`.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

from pydantic import AfterValidator, WithJsonSchema

_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def parse_time(text: str) -> datetime:
    """The moment that a time of docs/format.md names. Raises ValueError for any other form."""
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"not a time of the form 2026-11-22T21:42:00.000000Z: {text[:40]!r}")
    return datetime.fromisoformat(text)


def format_time(moment: datetime) -> str:
    """`moment` (with any time zone) in the form of docs/format.md."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shift_time(text: str, seconds: float) -> str:
    """The time `seconds` after (or, negative, before) `text`."""
    return format_time(parse_time(text) + timedelta(seconds=seconds))


def _check(text: str) -> str:
    parse_time(text)
    return text


_TIME_SCHEMA = {
    "type": "string",
    "pattern": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$",
    "examples": ["2026-11-22T21:42:00.000000Z"],
}

Time = Annotated[str, AfterValidator(_check), WithJsonSchema(_TIME_SCHEMA)]
"""A UTC time as text, RFC 3339 with six decimals and Z; sorts as a string."""


class Clock(Protocol):
    """Where time comes from, so that tests can turn it."""

    def now(self) -> str:
        """Wall-clock time in the form of docs/format.md; may step back."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never decreases."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> str:
        return format_time(datetime.now(UTC))

    def monotonic(self) -> float:
        return time.monotonic()


class Stamps:
    """Wall-clock stamps that never decrease: after a step back the last stamp is repeated.

    `last` is the stamp to start from, read from what is stored.
    """

    def __init__(self, clock: Clock, last: str = "") -> None:
        self._clock = clock
        self._last = last

    def next(self) -> str:
        self._last = max(self._last, self._clock.now())
        return self._last
