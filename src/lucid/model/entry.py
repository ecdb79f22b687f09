"""Log entries: small public statements that commit to a body by digest (docs/format.md section 5)."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from lucid.base.clock import Time, parse_time, shift_time
from lucid.base.errors import InvalidInput
from lucid.base.ids import Name, SessionId
from lucid.model.canonical import CanonicalValue, Digest

MAX_ENTRY_BYTES = 65_535

AHEAD = timedelta(minutes=5)
"""How much later than its block an entry may say that it was made: services on several machines have several clocks."""

EntryType = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z-]+$", max_length=40)]

SESSION_OPENED = "session.opened"
SESSION_CLOSED = "session.closed"
_TIME = re.compile(rb'"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"')
"""Where canonical JSON of an entry has its time: no other field can hold a quotation mark."""
_FIELDS = {
    SESSION_OPENED: {"session", "recorder", "sequence", "closes_by"},
    SESSION_CLOSED: {"session", "recorder", "sequence"},
}


def fields_of(type: str) -> set[str]:
    """The fields that an entry of a type has besides those that all have."""
    return _FIELDS.get(type) or ({"session"} if type.startswith("recording.") else set())


def is_ahead(entry_time: str, block_time: str) -> bool:
    """Whether an entry is too far in the future for a block of this time."""
    return entry_time > block_time and parse_time(entry_time) - parse_time(block_time) > AHEAD


def newest_time(entries: Iterable[bytes]) -> str:
    """The latest `time` of at least one entry. Raises InvalidInput when one has none, or the latest is none."""
    found = [_TIME.search(entry) for entry in entries]
    times = [match[1] for match in found if match]
    if len(times) < len(found):
        raise InvalidInput("entry: it has no time")
    newest = max(times).decode()
    try:
        parse_time(newest)
    except ValueError as error:
        raise InvalidInput(f"entry: {error}") from None
    return newest


def block_time_for(newest: str, wanted: str) -> str:
    """The time of a block that may hold an entry of the time `newest`: `wanted`, or later if need be."""
    return shift_time(newest, -AHEAD.total_seconds()) if is_ahead(newest, wanted) else wanted


class LogEntry(CanonicalValue):
    """One entry, with exactly the fields of its type. `actor` is a service or `user`; names of people stand in the
    body only."""

    format: Literal["lucid-entry/1"] = "lucid-entry/1"
    type: EntryType
    time: Time
    actor: Name
    body: Digest
    session: SessionId | None = None
    recorder: Name | None = None
    sequence: int | None = Field(default=None, ge=1)
    closes_by: Time | None = None

    @model_validator(mode="after")
    def _has_the_fields_of_its_type(self) -> Self:
        expected = fields_of(self.type)
        for name in ("session", "recorder", "sequence", "closes_by"):
            if (getattr(self, name) is not None) != (name in expected):
                raise ValueError(f"an entry of type {self.type} has {'the' if name in expected else 'no'} field {name}")
        return self
