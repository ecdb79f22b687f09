"""Which fields an entry has, and how its time stands to that of its block."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lucid.base.clock import format_time
from lucid.base.errors import InvalidInput
from lucid.model.entry import LogEntry, block_time_for, is_ahead, newest_time

TIME = "2026-11-22T21:42:00.000000Z"
FIELDS: dict[str, Any] = {
    "session": "01930000-0000-7000-8000-000000000001",
    "recorder": "rec-1",
    "sequence": 1,
    "closes_by": TIME,
}
TIMES = st.integers(0, 10**12).map(lambda micros: format_time(datetime.fromtimestamp(micros / 1e3, UTC)))


def entry(type: str, *names: str, time: str = TIME) -> LogEntry:
    return LogEntry(type=type, time=time, actor="x", body="0" * 64, **{name: FIELDS[name] for name in names})


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("session.opened", {"session", "recorder", "sequence", "closes_by"}),
        ("session.closed", {"session", "recorder", "sequence"}),
        ("recording.viewed", {"session"}),
        ("recording.unheard-of", {"session"}),
        ("host.added", set()),
        ("session.unheard-of", set()),
    ],
)
def test_an_entry_has_the_fields_of_its_type_and_no_other(type: str, expected: set[str]) -> None:
    assert entry(type, *expected).type == type
    for name in FIELDS:
        with pytest.raises(ValidationError, match=f"field {name}"):
            entry(type, *(expected ^ {name}))


@given(st.lists(TIMES, min_size=1, max_size=4), TIMES)
def test_a_block_time_is_as_wanted_or_just_late_enough(times: list[str], wanted: str) -> None:
    newest = newest_time(entry("host.added", time=time).to_bytes() for time in times)
    assert newest == max(times)
    found = block_time_for(newest, wanted)
    assert found >= wanted
    assert not is_ahead(newest, found)
    assert found == wanted or is_ahead(newest, wanted)


@pytest.mark.parametrize("data", [b"", b"{}", entry("host.added").to_bytes().replace(b"-11-", b"-13-")])
def test_what_has_no_time_is_no_entry(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^entry: "):
        newest_time([data])
