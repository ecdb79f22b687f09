"""Sessions, which hold locks: durable; they end with their TTL or with a check that they hang on."""

import uuid
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from lucid.base.clock import Clock
from lucid.base.tasks import to_the_end
from lucid.ports.stores import Documents, Json
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.indexes import Indexes, Topic
from lucid.services.service_mesh.keys import Keys

SESSIONS = "mesh_sessions"
SESSIONS_TOPIC: Topic = ("sessions",)
MIN_TTL_S, MAX_TTL_S = 10.0, 86_400.0
MAX_LOCK_DELAY_S = 60.0

Behavior = Literal["release", "delete"]

_log = structlog.get_logger()


@dataclass(frozen=True)
class Session:
    """Somebody who may hold locks. Without a TTL it lives until it is destroyed or a check of it fails."""

    id: str
    name: str = ""
    ttl_s: float = 0.0
    lock_delay_s: float = 15.0
    behavior: Behavior = "release"
    checks: tuple[str, ...] = ()
    service_checks: tuple[str, ...] = ()
    create_index: int = 0

    def body(self) -> Json:
        return {**self.__dict__, "checks": list(self.checks), "service_checks": list(self.service_checks)}

    @classmethod
    def of(cls, body: Json) -> "Session":
        return cls(**{**body, "checks": tuple(body["checks"]), "service_checks": tuple(body["service_checks"])})


class Sessions:
    """All sessions, in memory and in the documents; what locking asks of them (Locks)."""

    def __init__(self, documents: Documents, indexes: Indexes, clock: Clock, keys: Keys, *, limit: int) -> None:
        self._documents = documents
        self._indexes = indexes
        self._clock = clock
        self._keys = keys
        self._limit = limit
        self._sessions: dict[str, Session] = {}
        self._deadlines: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._doomed: set[str] = set()

    async def load(self) -> None:
        """Read what is stored. Each has its whole TTL again: nobody could renew it meanwhile."""
        async for stored in self._keys.stored(SESSIONS):
            session = Session.of(stored.body)
            self._sessions[session.id] = session
            self._indexes.rise_to(session.create_index)
            self._renewed(session)

    def get(self, id: str) -> Session | None:
        return self._sessions.get(id)

    def list(self) -> list[Session]:
        """In the order of their creation."""
        return list(self._sessions.values())

    def is_live(self, session: str) -> bool:
        return session in self._sessions and session not in self._doomed

    def is_delayed(self, key: str) -> bool:
        return self._delays.get(key, 0.0) > self._clock.monotonic()

    async def create(self, session: Session) -> Session:
        """Raises Refusal (400) for a TTL or delay outside of its bounds, and over the limit."""
        if session.ttl_s and not MIN_TTL_S <= session.ttl_s <= MAX_TTL_S:
            raise bad(f"Invalid Session TTL '{session.ttl_s:g}s', must be between [10s=24h0m0s]")
        if not 0 <= session.lock_delay_s <= MAX_LOCK_DELAY_S:
            raise bad("Invalid lock delay, must be between 0s and 60s")
        if len(self._sessions) >= self._limit:
            raise Refusal(429, f"the limit of {self._limit} sessions is reached")
        made = replace(session, id=str(uuid.uuid4()), create_index=self._indexes.next())
        return await to_the_end(self._create(made))

    async def _create(self, made: Session) -> Session:
        await self._documents.insert(SESSIONS, made.id, made.body())
        self._sessions[made.id] = made
        self._renewed(made)
        self._indexes.touch(SESSIONS_TOPIC)
        return made

    async def destroy(self, id: str) -> None:
        """End a session: its locks are released, or their keys deleted, and not given for its lock delay."""
        await to_the_end(self._destroy(id))

    async def _destroy(self, id: str) -> None:
        if (session := self._sessions.get(id)) is None or id in self._doomed:
            return
        self._doomed.add(id)  # from here on it gets no more locks
        try:
            until = self._clock.monotonic() + session.lock_delay_s
            await self._keys.end_session(
                id,
                delete=session.behavior == "delete",
                freeing=lambda keys: self._delays.update(dict.fromkeys(keys, until)),
            )
            await self._documents.delete(SESSIONS, id)
            self._sessions.pop(id)
            self._deadlines.pop(id, None)
        finally:
            self._doomed.discard(id)
        self._indexes.touch(SESSIONS_TOPIC)

    def renew(self, id: str) -> Session | None:
        if session := self._sessions.get(id):
            self._renewed(session)
        return session

    def _renewed(self, session: Session) -> None:
        if session.ttl_s:
            self._deadlines[session.id] = self._clock.monotonic() + session.ttl_s

    async def expire(self, fallen: Set[str]) -> None:
        """End the sessions whose TTL is over, and those that hang on one of the checks `fallen`."""
        now = self._clock.monotonic()
        self._delays = {key: until for key, until in self._delays.items() if until > now}
        ended = [session for session, deadline in self._deadlines.items() if deadline <= now]
        ended += [s.id for s in self.list() if not fallen.isdisjoint((*s.checks, *s.service_checks))]
        for session in ended:
            _log.info("session ended", session=session)
            await self.destroy(session)
