"""Work credits of a month, computed from the log alone by the formula of docs/credits.md. Whole numbers only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import Field

from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry
from lucid.model.node import (
    HOUR_MINUTES,
    NODE_AVAILABILITY,
    NODE_REGISTERED,
    NODE_REMOVED,
    NODE_STATE,
    NodeState,
)
from lucid.model.session import EndReason
from lucid.nodes.facts import Fact, counts
from lucid.nodes.month import Month, bounds, hour_end, minutes_between, month_of

CREDITS_PER_SESSION_MINUTE = 10
CREDITS_PER_MIB = 1
CREDITS_PER_HEARD_MINUTE = 1
ELIGIBLE_PERMILLE = 950
"""A node is paid when it was heard in 95 % of the minutes that were due."""

FAULTS = frozenset({EndReason.RECORDER_FAILED.value, EndReason.STORE_CORRUPTED.value})
"""Ends that are the node's own fault: such a session earns nothing."""

_MIB = 1 << 20
_MINUTE_US = 60_000_000


class NodeCredits(Value):
    """A node's month. Minutes are whole; `due_minutes` are those since its registration, without maintenance, up to
    `until`: the end of the month, or of the last hour that the log tells of."""

    node: Name
    month: Month
    until: str
    sessions: int = 0
    failed_sessions: int = 0
    overdue_sessions: int = 0
    session_minutes: int = 0
    recorded_mib: int = 0
    heard_minutes: int = 0
    due_minutes: int = 0
    session_credits: int = 0
    availability_credits: int = 0
    credits: int = 0
    eligible: bool = False
    reasons: tuple[str, ...] = Field(default=(), description="why it is not eligible")


@dataclass
class _Tally:
    """A node while the log is read."""

    since: str
    away: list[tuple[str, str]] = field(default_factory=list)
    away_since: str | None = None
    removed: str | None = None
    heard: dict[str, int] = field(default_factory=dict)
    sessions: int = 0
    failed: int = 0
    minutes: int = 0
    mib: int = 0
    overdue: int = 0


def compute(month: str, facts: Iterable[Fact], *, own_node: str) -> list[NodeCredits]:
    """The credits of every node that was registered in or before the month. `facts` are all that count up to the end
    of the month, in the order of the log. Raises InvalidInput for the month, Corrupted for a body that is not the
    entry's."""
    start, end = bounds(month)
    reading = _Reading(start, end, own_node)
    for fact in facts:
        reading.take(fact)
    until = min(end, reading.told_until)
    reading.count_overdue(until)
    return [_credits(month, name, tally, start, until) for name, tally in sorted(reading.nodes.items())]


class _Reading:
    """The state of all nodes, entry by entry."""

    def __init__(self, start: str, end: str, own_node: str) -> None:
        self.nodes: dict[str, _Tally] = {}
        self.told_until = start
        self._start, self._end = start, end
        self._own_node = own_node
        self._owner: dict[str, str] = {}
        self._open: dict[tuple[str, int], str] = {}

    def take(self, fact: Fact) -> None:
        entry = fact.parsed()
        if not counts(entry.type, entry.time, self._end):
            return
        match entry.type:
            case t if t == NODE_REGISTERED:
                self._register(fact, entry)
            case t if t in (NODE_STATE, NODE_REMOVED):
                self._change(fact, entry)
            case t if t == NODE_AVAILABILITY:
                self._hear(fact)
            case t if t == SESSION_OPENED:
                self._session_opened(entry)
            case t if t == SESSION_CLOSED:
                self._session_closed(fact, entry)

    def _register(self, fact: Fact, entry: LogEntry) -> None:
        subject = fact.subject()
        for recorder in filter(None, subject.get("recorders", "").split(",")):
            self._owner.setdefault(recorder, subject["node"])
        tally = self.nodes.setdefault(subject["node"], _Tally(since=entry.time))
        if tally.removed is not None:  # registered again: what lies between was not due
            tally.away.append((tally.removed, entry.time))
            tally.removed = None

    def _change(self, fact: Fact, entry: LogEntry) -> None:
        subject = fact.subject()
        if (tally := self.nodes.get(subject["node"])) is None:
            return
        if entry.type == NODE_REMOVED:
            tally.removed = tally.removed or entry.time
        elif subject.get("state") == NodeState.MAINTENANCE:
            tally.away_since = tally.away_since or entry.time
        elif tally.away_since is not None:
            tally.away.append((tally.away_since, entry.time))
            tally.away_since = None

    def _hear(self, fact: Fact) -> None:
        subject = fact.subject()
        hour, heard = subject["hour"], subject["heard"]
        if not self._start <= hour < self._end or len(heard) != HOUR_MINUTES:
            return
        self.told_until = max(self.told_until, hour_end(hour))
        if (tally := self.nodes.get(subject["node"])) is not None:
            tally.heard.setdefault(hour, heard.count("1"))  # said twice, the first counts

    def _node_of(self, recorder: str) -> _Tally | None:
        return self.nodes.get(self._owner.get(recorder, self._own_node))

    def _session_opened(self, entry: LogEntry) -> None:
        assert entry.recorder is not None
        assert entry.sequence is not None
        assert entry.closes_by is not None
        self._open[(entry.recorder, entry.sequence)] = entry.closes_by

    def _session_closed(self, fact: Fact, entry: LogEntry) -> None:
        assert entry.recorder is not None
        assert entry.sequence is not None
        self._open.pop((entry.recorder, entry.sequence), None)
        tally = self._node_of(entry.recorder)
        if tally is None or entry.time < self._start:
            return
        tally.sessions += 1
        if fact.work is not None and fact.work.end in FAULTS:
            tally.failed += 1
        elif fact.work is not None:
            tally.minutes += -(-fact.work.duration_us // _MINUTE_US)
            tally.mib += -(-fact.work.recorded_bytes // _MIB)

    def count_overdue(self, until: str) -> None:
        """Sessions that should have been closed in the month and were not."""
        for (recorder, _), closes_by in self._open.items():
            if self._start <= closes_by < until and (tally := self._node_of(recorder)) is not None:
                tally.overdue += 1


def _credits(month: str, name: str, tally: _Tally, start: str, until: str) -> NodeCredits:
    due = _due_minutes(tally, start, until)
    heard = sum(count for hour, count in tally.heard.items() if month_of(hour) == month)
    session_credits = CREDITS_PER_SESSION_MINUTE * tally.minutes + CREDITS_PER_MIB * tally.mib
    availability_credits = CREDITS_PER_HEARD_MINUTE * min(heard, due)
    reasons = []
    if due == 0:
        reasons.append("no minute was due")
    elif heard * 1000 < due * ELIGIBLE_PERMILLE:
        reasons.append(f"heard in {heard} of {due} minutes, at least {ELIGIBLE_PERMILLE / 10:g} % are needed")
    if tally.overdue:
        reasons.append(f"{tally.overdue} sessions were not closed in time: their recordings are missing")
    return NodeCredits(
        node=name,
        month=month,
        until=until,
        sessions=tally.sessions,
        failed_sessions=tally.failed,
        overdue_sessions=tally.overdue,
        session_minutes=tally.minutes,
        recorded_mib=tally.mib,
        heard_minutes=heard,
        due_minutes=due,
        session_credits=session_credits,
        availability_credits=availability_credits,
        credits=session_credits + availability_credits,
        eligible=not reasons,
        reasons=tuple(reasons),
    )


def _due_minutes(tally: _Tally, start: str, until: str) -> int:
    """Minutes between registration and `until` that the node was neither removed nor in maintenance."""
    begins, ends = max(start, tally.since), min(until, tally.removed or until)
    away: Sequence[tuple[str, str]] = tally.away + ([(tally.away_since, until)] if tally.away_since else [])
    lost = sum(minutes_between(max(begins, a), min(ends, b)) for a, b in away)
    return max(0, minutes_between(begins, ends) - lost)
