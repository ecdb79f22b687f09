"""Log entries: small public statements that commit to a body by digest (docs/format.md section 5)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.model.canonical import CanonicalValue, Digest

MAX_ENTRY_BYTES = 65_535

EntryType = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z-]+$", max_length=40)]

SESSION_OPENED = "session.opened"
SESSION_CLOSED = "session.closed"


class LogEntry(CanonicalValue):
    """One entry. `actor` is a service or `user`; names of people stand in the body only."""

    format: Literal["lucid-entry/1"] = "lucid-entry/1"
    type: EntryType
    time: Time
    actor: Name
    body: Digest
    session: SessionId | None = None
    recorder: Name | None = None
    sequence: int | None = Field(default=None, ge=1)
    closes_by: Time | None = None
