"""What the tests of lucid-auth-service share."""

import asyncio
from collections.abc import Sequence

from lucid.base.clock import shift_time
from lucid.base.errors import Unavailable
from lucid.base.ids import SessionId
from lucid.base.secret import Secret
from lucid.model.canonical import canonical_json, digest_of
from lucid.model.chunk import ChunkRecord
from lucid.model.entry import LogEntry
from lucid.model.manifest import Manifest, OpeningStatement
from lucid.ports.access import AuditEvent, Outcome
from lucid.ports.stores import Allowance, Event, Hit, Json
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings

SETTINGS = LucidAuthServiceSettings(account_seal_key=Secret("5a" * 32))


class TurnedClock:
    """A clock that stands still until it is turned, forward or back."""

    def __init__(self) -> None:
        self.time = "2026-11-22T21:42:00.000000Z"

    def now(self) -> str:
        return self.time

    def monotonic(self) -> float:
        raise AssertionError("tickets and pauses go by wall-clock times, which survive a restart")

    def turn(self, seconds: float) -> None:
        self.time = shift_time(self.time, seconds)


class Trail:
    """An audit trail in memory."""

    def __init__(self) -> None:
        self.seen: list[AuditEvent] = []

    async def record(self, *, event: AuditEvent) -> None:
        self.seen.append(event)

    async def events(
        self, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        return self.seen[:limit]

    @property
    def acts(self) -> list[str]:
        """What was done, in order; with the outcome where it was not done."""
        return [event.act if event.outcome is Outcome.DONE else f"{event.act} {event.outcome}" for event in self.seen]


class RevokedLogins:
    """Remembers whose logins were ended."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def revoke(self, user: str) -> None:
        self.users.append(user)


class MemoryBus:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Json]] = []
        self.arrived = asyncio.Condition()
        self.away = False

    async def publish(self, topic: str, body: Json) -> str:
        if self.away:
            raise Unavailable("the bus is away")
        async with self.arrived:
            self.events.append((topic, body))
            self.arrived.notify_all()
        return str(len(self.events))

    async def wait_for(self, topic: str, count: int) -> list[Json]:
        """The events of the topic, as soon as there are so many."""
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.of(topic)) >= count)
        return self.of(topic)

    def of(self, topic: str) -> list[Json]:
        return [body for name, body in self.events if name == topic]

    async def read(self, topic: str, *, after: str = "$", wait_s: float = 1.0, limit: int = 100) -> list[Event]:
        raise NotImplementedError

    async def hit(self, key: str, *, limit: int, window_s: float) -> float:
        raise NotImplementedError

    async def hits(self, hits: Sequence[Hit]) -> list[Allowance]:
        raise NotImplementedError


class MemoryLog:
    """A log that remembers the acts; `away` makes it refuse, `wait` hold each act until it is set."""

    def __init__(self) -> None:
        self.acts: list[dict[str, str]] = []
        self.arrived = asyncio.Condition()
        self.away = False
        self.wait: asyncio.Event | None = None

    async def act(self, *, type: str, subject: dict[str, str], session: SessionId | None = None) -> LogEntry:
        if self.away:
            raise Unavailable("the log is away")
        if self.wait is not None:
            await self.wait.wait()
        time = "2026-11-22T21:42:00.000000Z"
        async with self.arrived:
            self.acts.append({**subject, "type": type})
            self.arrived.notify_all()
        body = digest_of(canonical_json({**subject, "type": type, "time": time}))
        return LogEntry(type=type, time=time, actor="user", body=body, session=session)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.acts) >= count)

    async def opened(self, *, statement: OpeningStatement) -> int:
        raise NotImplementedError

    async def closed(self, *, manifest: Manifest, chunks: list[ChunkRecord]) -> int:
        raise NotImplementedError

    async def bundle(self, *, session: SessionId, wait_s: float) -> bytes:
        raise NotImplementedError
