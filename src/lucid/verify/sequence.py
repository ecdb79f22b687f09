"""Step 14: the rules of docs/format.md section 5, over every entry of a log in order.

Memory grows by about 250 bytes a session and by nothing else.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from lucid.base.clock import parse_time
from lucid.base.errors import InvalidInput
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry, is_ahead

GRACE = timedelta(hours=24)
"""How long after `closes_by` a closing entry may still come. A machine that was off meanwhile comes later."""

LONGEST = timedelta(days=7, minutes=15)
"""The longest time between `time` and `closes_by` of an opening: the largest total limit and 15 minutes."""


MAX_WARNINGS = 100
"""How many are listed at most."""


class RuleBroken(Exception):
    """An entry, or the end of the log, contradicts the rules. `detail` is one line for a person."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Opening:
    recorder: str
    sequence: int
    time: str
    closes_by: str


class SequenceRules:
    """Takes the entries one after the other and remembers the first rule that is broken."""

    def __init__(self) -> None:
        self.sessions = 0
        self.late = 0
        self._warnings: list[str] = []
        self._unlisted = 0
        self._broken: str | None = None
        self._last: dict[str, int] = {}  # recorder -> number of its newest session
        self._open: dict[bytes, _Opening] = {}
        self._entries: dict[bytes, bytes] = {}  # session -> digests of its opening and, once closed, its closing

    def add(self, index: int, entry: bytes, block_time: str) -> None:
        """Take entry `index`, which is in a block of that time."""
        if self._broken is not None:
            return
        try:
            self._add(entry, block_time)
        except RuleBroken as broken:
            self._broken = f"entry {index}: {broken.detail}"
        except InvalidInput as error:
            self._broken = f"entry {index}: {error.detail}"

    def finish(self, newest_block_time: str, now: str | None = None) -> list[str]:
        """The log ends here: the warnings. `now`: what was due before it, after the log's end, is warned of. Raises
        RuleBroken for the first rule that was broken, or for a session that should have been closed by now."""
        if self._broken is not None:
            raise RuleBroken(self._broken)
        for session, opening in self._open.items():
            what = (
                f"session {opening.sequence} of {opening.recorder} ({_text(session)}) was opened and has no "
                f"closing, due 24 hours after {opening.closes_by}"
            )
            if _later(newest_block_time, opening.closes_by):
                raise RuleBroken(what)
            if now is not None and _later(now, opening.closes_by):
                self._warn(f"{what}; the log ends at {newest_block_time}")
        if now is not None and is_ahead(newest_block_time, now):
            self._warn(f"the newest block is of {newest_block_time}, after the time given, {now}")
        more = [f"{self._unlisted} more warnings"] if self._unlisted else []
        return self._warnings + more

    @property
    def unclosed(self) -> int:
        """Sessions without a closing entry so far."""
        return len(self._open)

    def _add(self, data: bytes, block_time: str) -> None:
        entry = LogEntry.from_bytes(data)
        if is_ahead(entry.time, block_time):
            raise RuleBroken(f"its time {entry.time} is more than 5 minutes after that of its block, {block_time}")
        if entry.type == SESSION_OPENED:
            self._opened(entry, hashlib.sha256(data).digest())
        elif entry.type == SESSION_CLOSED:
            self._closed(entry, hashlib.sha256(data).digest(), block_time)

    def _opened(self, entry: LogEntry, digest: bytes) -> None:
        # An opening has these; the parser has seen to it.
        assert entry.session
        assert entry.recorder
        assert entry.sequence
        assert entry.closes_by
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
        self._open[session] = _Opening(entry.recorder, entry.sequence, entry.time, entry.closes_by)
        self._entries[session] = digest

    def _closed(self, entry: LogEntry, digest: bytes, block_time: str) -> None:
        assert entry.session
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
        if entry.time < opening.time:
            raise RuleBroken(f"session {entry.session} is closed at {entry.time}, before it was opened")
        if _later(block_time, opening.closes_by):
            self.late += 1
            self._warn(
                f"session {opening.sequence} of {opening.recorder} ({entry.session}) was closed in a block of "
                f"{block_time}, more than 24 hours after {opening.closes_by}"
            )
        del self._open[session]
        self._entries[session] = known + digest

    def _warn(self, warning: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(warning)
        else:
            self._unlisted += 1


def _later(time: str, closes_by: str) -> bool:
    return parse_time(time) - parse_time(closes_by) > GRACE


def _bytes(session: str) -> bytes:
    return bytes.fromhex(session.replace("-", ""))


def _text(session: bytes) -> str:
    value = session.hex()
    return "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
