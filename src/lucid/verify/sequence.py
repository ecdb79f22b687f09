"""Step 14: the rules of docs/format.md section 5, over every entry of a log in order.

Memory grows by about 250 bytes a session and by nothing else.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from lucid.base.clock import parse_time
from lucid.base.errors import InvalidInput
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry

GRACE = timedelta(hours=24)
"""How long after `closes_by` a closing entry may still come."""

LONGEST = timedelta(days=7, minutes=15)
"""The longest time between `time` and `closes_by` of an opening: the largest total limit and 15 minutes."""


class RuleBroken(Exception):
    """An entry, or the end of the log, contradicts the rules. `detail` is one line for a person."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Opening:
    recorder: str
    sequence: int
    closes_by: str


class SequenceRules:
    """Takes the entries one after the other and remembers the first rule that is broken."""

    def __init__(self) -> None:
        self.sessions = 0
        self._broken: str | None = None
        self._last: dict[str, int] = {}  # recorder -> number of its newest session
        self._open: dict[bytes, _Opening] = {}
        self._entries: dict[bytes, bytes] = {}  # session -> digests of its opening and, once closed, its closing

    def add(self, index: int, entry: bytes) -> None:
        """Take entry `index`."""
        if self._broken is not None:
            return
        try:
            self._add(entry)
        except RuleBroken as broken:
            self._broken = f"entry {index}: {broken.detail}"
        except InvalidInput as error:
            self._broken = f"entry {index}: {error.detail}"

    def finish(self, newest_block_time: str) -> None:
        """The log ends here. Raises RuleBroken for the first rule that was broken, or for a session that
        should have been closed by now."""
        if self._broken is not None:
            raise RuleBroken(self._broken)
        for session, opening in self._open.items():
            if _later(newest_block_time, opening.closes_by):
                raise RuleBroken(
                    f"session {opening.sequence} of {opening.recorder} ({_text(session)}) was opened and has no "
                    f"closing, due 24 hours after {opening.closes_by}"
                )

    @property
    def unclosed(self) -> int:
        """Sessions without a closing entry so far."""
        return len(self._open)

    def _add(self, data: bytes) -> None:
        entry = LogEntry.from_bytes(data)
        if entry.type == SESSION_OPENED:
            self._opened(entry, hashlib.sha256(data).digest())
        elif entry.type == SESSION_CLOSED:
            self._closed(entry, hashlib.sha256(data).digest())

    def _opened(self, entry: LogEntry, digest: bytes) -> None:
        if entry.session is None or entry.recorder is None or entry.sequence is None or entry.closes_by is None:
            raise RuleBroken("an opening names session, recorder, sequence and closes_by")
        session = _bytes(entry.session)
        if self._entries.get(session, b"")[:32] == digest:
            return
        if session in self._entries:
            raise RuleBroken(f"session {entry.session} is opened a second time")
        last = self._last.get(entry.recorder, 0)
        if entry.sequence <= last:
            raise RuleBroken(f"{entry.recorder} opens its number {entry.sequence} after its number {last}")
        if entry.sequence != last + 1:
            raise RuleBroken(f"{entry.recorder} opens its number {entry.sequence}, {last + 1} is missing")
        if not timedelta() < parse_time(entry.closes_by) - parse_time(entry.time) <= LONGEST:
            raise RuleBroken("closes_by is not within 7 days and 15 minutes after time")
        self.sessions += 1
        self._last[entry.recorder] = entry.sequence
        self._open[session] = _Opening(entry.recorder, entry.sequence, entry.closes_by)
        self._entries[session] = digest

    def _closed(self, entry: LogEntry, digest: bytes) -> None:
        if entry.session is None or entry.recorder is None or entry.sequence is None:
            raise RuleBroken("a closing names session, recorder and sequence")
        session = _bytes(entry.session)
        known = self._entries.get(session)
        if known is None:
            raise RuleBroken(f"session {entry.session} is closed but was not opened before")
        if known[32:] == digest:
            return
        if known[32:]:
            raise RuleBroken(f"session {entry.session} is closed a second time, differently")
        opening = self._open[session]
        if (entry.recorder, entry.sequence) != (opening.recorder, opening.sequence):
            raise RuleBroken(
                f"the closing of session {entry.session} says number {entry.sequence} of {entry.recorder}, "
                f"its opening number {opening.sequence} of {opening.recorder}"
            )
        if _later(entry.time, opening.closes_by):
            raise RuleBroken(f"session {entry.session} is closed later than 24 hours after {opening.closes_by}")
        del self._open[session]
        self._entries[session] = known + digest


def _later(time: str, closes_by: str) -> bool:
    return parse_time(time) - parse_time(closes_by) > GRACE


def _bytes(session: str) -> bytes:
    return bytes.fromhex(session.replace("-", ""))


def _text(session: bytes) -> str:
    value = session.hex()
    return "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
