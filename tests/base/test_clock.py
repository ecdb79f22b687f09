"""Stamps never decrease; times have one form."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.clock import Stamps, SystemClock, format_time, parse_time, shift_time


class SteppingClock(SystemClock):
    """Says the times it was given."""

    def __init__(self, *times: str) -> None:
        self._times = list(times)

    def now(self) -> str:
        return self._times.pop(0)


def test_a_clock_that_steps_back_repeats_the_last_stamp() -> None:
    early, late = "2026-11-22T21:42:00.000000Z", "2026-11-22T21:43:00.000000Z"
    stamps = Stamps(SteppingClock(late, early, late), last=early)
    assert [stamps.next(), stamps.next(), stamps.next()] == [late, late, late]


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_round_trip_and_sort_as_text(moment: datetime) -> None:
    text = format_time(moment)
    assert parse_time(text) == moment
    assert format_time(moment + timedelta(microseconds=1)) > text


def test_other_zones_become_utc() -> None:
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2025-12-31T23:00:00.000000Z"


def test_shift() -> None:
    assert shift_time("2026-11-22T21:42:00.000000Z", 90.5) == "2026-11-22T21:43:30.500000Z"


@pytest.mark.parametrize("text", ["", "2026-11-22", "2026-11-22T21:42:00Z", "2026-13-22T21:42:00.000000Z", "x" * 100])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month"):
        parse_time(text)
