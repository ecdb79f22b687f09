"""The audit trail (port Audit): every act in the documents, the accountable ones in the log as well."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import TypeAdapter, ValidationError

from lucid.access.announcing import Announcer
from lucid.base.clock import Clock, parse_time, shift_time
from lucid.base.errors import Conflict, InvalidInput, LucidError, StorageFull, Unavailable
from lucid.base.ids import SessionId
from lucid.base.tasks import Tasks
from lucid.model.entry import fields_of
from lucid.ports.access import AuditEvent, Outcome
from lucid.ports.log import Anchoring
from lucid.ports.stores import Documents, Stored

AUDIT = "audit"
AUDIT_TOPIC = "audit.event"
"""Topic of the bus: each event's body is an AuditEvent."""

RESERVED = frozenset({"actor", "event", "occurred", "outcome", "time", "type"})
"""What an act's body in the log says beside its subject."""

_PAGE = 200
_FINISH_S = 5.0
"""How long stop() waits for the act that is being anchored."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID: TypeAdapter[str] = TypeAdapter(SessionId)

_log = structlog.get_logger()


@dataclass(frozen=True)
class AuditFilter:
    """Which events are asked for; None: all. Times are those of the ids, in milliseconds; `until` is not included."""

    actor: str | None = None
    act: str | None = None
    outcome: Outcome | None = None
    since: str | None = None
    until: str | None = None

    @property
    def fields(self) -> dict[str, str | int | bool | list[str]]:
        """For Documents.find: the most selective first."""
        wanted = {"actor": self.actor, "act": self.act, "outcome": self.outcome and self.outcome.value}
        return {name: value for name, value in wanted.items() if value is not None}


@dataclass(frozen=True)
class OutboxRules:
    """Times in seconds: `retry_s`, doubled up to `retry_limit_s`, between attempts while the log is away; `lease_s`,
    how long a replica that took an act is trusted to anchor it; `look_s`, how often acts that a crash or another
    replica left are looked for."""

    retry_s: float = 0.5
    retry_limit_s: float = 30.0
    lease_s: float = 60.0
    look_s: float = 30.0


class AuditTrail:
    """Events by id, which is a UUIDv7 and so orders them by time. An accountable one stays marked `pending` until the
    log has it. Replicas lease acts from each other, so each gets one log entry; it gets two only if a process dies, or
    loses the answer, between the log's acknowledgement and its own note of it. Both name the event then."""

    def __init__(
        self,
        *,
        documents: Documents,
        anchoring: Anchoring,
        announcer: Announcer,
        clock: Clock,
        rules: OutboxRules | None = None,
    ) -> None:
        self._documents = documents
        self._anchoring = anchoring
        self._announcer = announcer
        self._clock = clock
        self._rules = rules or OutboxRules()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._outbox: asyncio.Task[None] | None = None
        self._tasks = Tasks("audit")

    async def start(self) -> None:
        self._outbox = self._tasks.spawn(self._anchor_regularly(), name="anchor")

    async def stop(self) -> None:
        """Finish the act that is being anchored, if that is soon, so that it is not anchored again."""
        self._stopping.set()
        self._wake.set()
        if self._outbox is not None:
            await asyncio.wait({self._outbox}, timeout=_FINISH_S)
        await self._tasks.close()

    def check(self) -> None:
        """Raises the failure of the outbox, if there was one. That the log is away is none."""
        self._tasks.check()

    async def record(self, *, event: AuditEvent) -> None:
        """As the port says. Raises InvalidInput for an id that is no UUIDv7, and for an accountable act that no log
        entry can hold."""
        _check(event)
        body = event.model_dump(mode="json") | {"pending": event.accountable}
        try:
            await self._documents.insert(AUDIT, event.id, body)
        except Conflict:
            return
        self._announcer.announce(AUDIT_TOPIC, event.model_dump(mode="json"))
        if event.accountable:
            self._wake.set()

    async def events(
        self, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        return await self.search(AuditFilter(), after=after, newest_first=newest_first, limit=limit)

    async def search(
        self, wanted: AuditFilter, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        """Events that fit, in the order of their ids, behind the id `after`."""
        first, last = wanted.since and _first_id(wanted.since), wanted.until and _first_id(wanted.until)
        if newest_first:
            after = min(filter(None, (after, last)), default=None)
        else:
            # `after` is not included, and the id before the first of a millisecond belongs to nobody.
            after = max(filter(None, (after, first)), default=None)
        found = await self._documents.find(AUDIT, wanted.fields, after=after, newest_first=newest_first, limit=limit)
        return [_event(one) for one in found if (not first or one.id >= first) and (not last or one.id < last)]

    async def sweep(self, keep_s: float) -> int:
        """Remove denied acts that are older, and return how many: strangers make as many of them as they like. What
        the log holds stays."""
        removed, after, limit = 0, None, _first_id(shift_time(self._clock.now(), -keep_s))
        while page := await self._documents.find(AUDIT, {"outcome": Outcome.DENIED.value}, after=after, limit=_PAGE):
            old = [found for found in page if found.id < limit]
            for found in old:
                removed += not found.body["accountable"] and await self._documents.delete(AUDIT, found.id)
            if len(old) < len(page):
                break
            after = page[-1].id
        return removed

    async def anchor_pending(self) -> int:
        """Anchor what waits and is not leased to another replica; returns how many. Raises Unavailable or StorageFull
        when the log does not take them."""
        anchored = 0
        async for found in self._pending():
            if self._stopping.is_set():
                break
            leased = await self._lease(found)
            if leased is None:
                continue
            try:
                await self._anchor(leased)
            except (Unavailable, StorageFull):
                await self._give_back(leased)
                raise
            except LucidError as error:  # others must not wait for an act that the log refuses
                _log.error("act not anchored", audit_event=found.id, error=error.slug, detail=error.detail)
            else:
                anchored += 1
        return anchored

    async def _pending(self) -> AsyncIterator[Stored]:
        after = None
        while page := await self._documents.find(AUDIT, {"pending": True}, after=after, limit=_PAGE):
            for found in page:
                yield found
            after = page[-1].id

    async def _lease(self, found: Stored) -> Stored | None:
        """The event as this replica holds it now; None when another one does, or has anchored it."""
        now = self._clock.now()
        if found.body.get("leased_until", "") > now:
            return None
        until = {"leased_until": shift_time(now, self._rules.lease_s)}
        try:
            return await self._documents.replace(AUDIT, found.id, found.body | until, version=found.version)
        except Conflict:
            return None

    async def _anchor(self, leased: Stored) -> None:
        event = _event(leased)
        about = {"actor": event.actor, "event": event.id, "occurred": event.time, "outcome": event.outcome.value}
        session = event.subject.get("session") if "session" in fields_of(event.act) else None
        entry = await self._anchoring.act(type=event.act, subject=event.subject | about, session=session)
        done = {**_without_lease(leased), "pending": False, "body": entry.body}
        await self._documents.replace(AUDIT, leased.id, done, version=leased.version)
        _log.debug("act anchored", audit_event=event.id, act=event.act)

    async def _give_back(self, leased: Stored) -> None:
        try:
            await self._documents.replace(AUDIT, leased.id, _without_lease(leased), version=leased.version)
        except LucidError as error:
            _log.warning("lease not given back; it ends by itself", audit_event=leased.id, detail=error.detail)

    async def _anchor_regularly(self) -> None:
        delay_s = self._rules.retry_s
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                await self.anchor_pending()
            except LucidError as error:
                _log.warning("acts wait for the log", detail=error.detail, retry_s=delay_s)
                await _within(delay_s, self._stopping)  # new acts do not make the log come back
                delay_s = min(2 * delay_s, self._rules.retry_limit_s)
            else:
                delay_s = self._rules.retry_s
                await _within(self._rules.look_s, self._wake)


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for the event, but not longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _check(event: AuditEvent) -> None:
    try:
        _ID.validate_python(event.id)
    except ValidationError:
        raise InvalidInput("event.id: expected a UUID version 7", field="event.id") from None
    if not event.accountable:
        return
    if taken := RESERVED & event.subject.keys():
        raise InvalidInput(f"event.subject: {sorted(taken)[0]} is said by the event itself", field="event.subject")
    needed = fields_of(event.act)
    if needed - {"session"}:
        raise InvalidInput(f"event.act: {event.act} is not an act of a person", field="event.act")
    if needed:
        try:
            _ID.validate_python(event.subject.get("session"))
        except ValidationError:
            raise InvalidInput(f"event.subject: {event.act} names a session", field="event.subject") from None


def _event(found: Stored) -> AuditEvent:
    return AuditEvent.model_validate({name: found.body[name] for name in AuditEvent.model_fields if name in found.body})


def _without_lease(found: Stored) -> dict[str, object]:
    return {name: value for name, value in found.body.items() if name != "leased_until"}


def _first_id(time: str) -> str:
    """The least UUIDv7 of the millisecond of `time`."""
    milliseconds = max(0, (parse_time(time) - _EPOCH) // timedelta(milliseconds=1))
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62))
