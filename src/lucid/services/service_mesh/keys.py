"""The key-value store with check-and-set and locks, and the sessions that hold those. Durable before it is answered."""

import asyncio
import base64
import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Literal

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import Conflict
from lucid.ports.stores import Documents, Json
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.indexes import Indexes, Topic

KEYS, SESSIONS = "mesh_keys", "mesh_sessions"
KEYS_TOPIC: Topic = ("keys",)
SESSIONS_TOPIC: Topic = ("sessions",)
MIN_TTL_S, MAX_TTL_S = 10.0, 86_400.0
MAX_LOCK_DELAY_S = 60.0
_PAGE = 500

Behavior = Literal["release", "delete"]

_log = structlog.get_logger()


@dataclass(frozen=True)
class Entry:
    """A key with its value. `session` holds its lock; `lock_index` counts how often it was locked."""

    key: str
    value: bytes
    flags: int = 0
    session: str = ""
    lock_index: int = 0
    create_index: int = 0
    modify_index: int = 0

    def body(self) -> Json:
        value = base64.b64encode(self.value).decode()
        return {**self.__dict__, "value": value}

    @classmethod
    def of(cls, body: Json) -> "Entry":
        return cls(**{**body, "value": base64.b64decode(body["value"])})


@dataclass(frozen=True)
class Session:
    """Somebody who may hold locks. Without a TTL it lives until it is destroyed."""

    id: str
    name: str = ""
    ttl_s: float = 0.0
    lock_delay_s: float = 15.0
    behavior: Behavior = "release"
    checks: tuple[str, ...] = field(default=())
    create_index: int = 0

    def body(self) -> Json:
        return {**self.__dict__, "checks": list(self.checks)}

    @classmethod
    def of(cls, body: Json) -> "Session":
        return cls(**{**body, "checks": tuple(body["checks"])})


class KeyStore:
    """All keys and sessions, in memory and in the documents. Changes come one after the other."""

    def __init__(
        self, documents: Documents, indexes: Indexes, clock: Clock, *, max_value_bytes: int, max_keys: int
    ) -> None:
        self._documents = documents
        self._indexes = indexes
        self._clock = clock
        self._max_value_bytes = max_value_bytes
        self._max_keys = max_keys
        self._entries: dict[str, Entry] = {}
        self._versions: dict[str, int] = {}
        self._deadlines: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self.sessions: dict[str, Session] = {}

    async def load(self) -> None:
        """Read what is stored. Sessions get their whole TTL again: nobody could renew them meanwhile."""
        async for document, version, body in self._stored(KEYS):
            entry = Entry.of(body)
            self._entries[entry.key], self._versions[document] = entry, version
        async for _, _, body in self._stored(SESSIONS):
            session = Session.of(body)
            self.sessions[session.id] = session
            self._renewed(session)

    async def _stored(self, collection: str) -> AsyncIterator[tuple[str, int, Json]]:
        after = None
        while page := await self._documents.find(collection, after=after, limit=_PAGE):
            for found in page:
                yield found.id, found.version, found.body
            after = page[-1].id

    @property
    def newest(self) -> int:
        """The highest index that is stored."""
        return max((entry.modify_index for entry in self._entries.values()), default=0)

    def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def below(self, prefix: str) -> list[Entry]:
        """Entries whose key begins so, by key."""
        return [self._entries[key] for key in sorted(self._entries) if key.startswith(prefix)]

    def names(self, prefix: str, separator: str) -> list[str]:
        """Keys that begin so, each cut behind the first `separator` after the prefix."""
        return list(dict.fromkeys(_cut(entry.key, prefix, separator) for entry in self.below(prefix)))

    async def put(self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None) -> bool:
        """Write; with `cas` only if the key still has that index (0: only if it is not there)."""
        self._check_size(value)
        async with self._turn:
            known = self._entries.get(key)
            if cas is not None and (known.modify_index if known else 0) != cas:
                return False
            if known is None and len(self._entries) >= self._max_keys:
                raise Refusal(413, f"the limit of {self._max_keys} keys is reached")
            made = replace(known or Entry(key, b""), value=value, flags=flags)
            await self._write(made)
            return True

    async def acquire(self, key: str, value: bytes, session: str, *, flags: int = 0) -> bool:
        """Write and lock for the session; False while another holds it or its lock delay runs."""
        self._check_size(value)
        async with self._turn:
            self._live(session)
            known = self._entries.get(key)
            if known and known.session and known.session != session:
                return False
            if self._delays.get(key, 0.0) > self._clock.monotonic():
                return False
            if known is None and len(self._entries) >= self._max_keys:
                raise Refusal(413, f"the limit of {self._max_keys} keys is reached")
            held = known is not None and known.session == session
            before = known or Entry(key, b"")
            count = before.lock_index + (0 if held else 1)
            await self._write(replace(before, value=value, flags=flags, session=session, lock_index=count))
            return True

    async def release(self, key: str, value: bytes, session: str, *, flags: int = 0) -> bool:
        """Write and unlock; False when the session does not hold the lock."""
        self._check_size(value)
        async with self._turn:
            known = self._entries.get(key)
            if known is None or known.session != session:
                return False
            await self._write(replace(known, value=value, flags=flags, session=""))
            return True

    async def delete(self, key: str, *, recurse: bool = False, cas: int | None = None) -> bool:
        """Remove a key, or all below it; with `cas` only if it still has that index. What is gone stays gone: True."""
        async with self._turn:
            known = self._entries.get(key)
            if cas is not None and (cas == 0 or (known is not None and known.modify_index != cas)):
                return False
            gone = self.below(key) if recurse else [known] if known else []
            for entry in gone:
                await self._remove(entry)
            return True

    async def create_session(self, session: Session) -> Session:
        """Raises Refusal (500, as Consul) for a TTL or delay outside of its bounds."""
        if session.ttl_s and not MIN_TTL_S <= session.ttl_s <= MAX_TTL_S:
            raise Refusal(500, f"Invalid Session TTL '{session.ttl_s:g}s', must be between [10s=24h0m0s]")
        if not 0 <= session.lock_delay_s <= MAX_LOCK_DELAY_S:
            raise Refusal(500, "Invalid lock delay, must be between 0s and 60s")
        async with self._turn:
            index = self._indexes.touch(SESSIONS_TOPIC)
            made = replace(session, id=str(uuid.uuid4()), create_index=index)
            await self._documents.insert(SESSIONS, made.id, made.body())
            self.sessions[made.id] = made
            self._renewed(made)
            return made

    async def destroy_session(self, id: str) -> bool:
        """End a session: its locks are released, or their keys deleted, and stay untaken for its lock delay."""
        async with self._turn:
            return await self._destroy(id)

    def renew_session(self, id: str) -> Session | None:
        if session := self.sessions.get(id):
            self._renewed(session)
        return session

    async def expire(self) -> None:
        """End the sessions whose TTL is over."""
        now = self._clock.monotonic()
        self._delays = {key: until for key, until in self._delays.items() if until > now}
        for session in [session for session, deadline in self._deadlines.items() if deadline <= now]:
            _log.info("session expired", session=session)
            async with self._turn:
                await self._destroy(session)

    async def _destroy(self, id: str) -> bool:
        if (session := self.sessions.get(id)) is None:
            return False
        for entry in [entry for entry in self._entries.values() if entry.session == id]:
            if session.behavior == "delete":
                await self._remove(entry)
            else:
                await self._write(replace(entry, session=""))
            if session.lock_delay_s:
                self._delays[entry.key] = self._clock.monotonic() + session.lock_delay_s
        await self._documents.delete(SESSIONS, id)
        del self.sessions[id]
        self._deadlines.pop(id, None)
        self._indexes.touch(SESSIONS_TOPIC)
        return True

    def _renewed(self, session: Session) -> None:
        if session.ttl_s:
            self._deadlines[session.id] = self._clock.monotonic() + session.ttl_s

    def _live(self, session: str) -> None:
        if session not in self.sessions:
            raise Refusal(500, f'invalid session "{session}"')

    def _check_size(self, value: bytes) -> None:
        if len(value) > self._max_value_bytes:
            raise Refusal(413, f"Request body too large, max size: {self._max_value_bytes} bytes.")

    async def _write(self, entry: Entry) -> None:
        """Durable first; then others see it and are woken."""
        index = self._indexes.next()
        made = replace(entry, modify_index=index, create_index=entry.create_index or index)
        document = _document(entry.key)
        try:
            if version := self._versions.get(document):
                stored = await self._documents.replace(KEYS, document, made.body(), version=version)
            else:
                stored = await self._documents.insert(KEYS, document, made.body())
        except Conflict:
            raise Refusal(500, "another service-mesh writes to the same store") from None
        self._versions[document], self._entries[entry.key] = stored.version, made
        self._touched(entry.key)

    async def _remove(self, entry: Entry) -> None:
        document = _document(entry.key)
        await self._documents.delete(KEYS, document)
        self._versions.pop(document, None)
        self._entries.pop(entry.key, None)
        self._touched(entry.key)

    def _touched(self, key: str) -> None:
        self._indexes.touch(KEYS_TOPIC, ("key", key))


def _document(key: str) -> str:
    """The id of any key's document."""
    return hashlib.sha256(key.encode()).hexdigest()


def _cut(key: str, prefix: str, separator: str) -> str:
    at = key.find(separator, len(prefix)) if separator else -1
    return key if at < 0 else key[: at + len(separator)]


def checked_key(key: str) -> str:
    """Raises Refusal (400) for an empty key or one that is too long."""
    if not key:
        raise bad("Missing key name")
    if len(key.encode(errors="surrogatepass")) > 512:
        raise bad("the key is over 512 bytes")
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in key):
        raise bad("the key is not UTF-8")
    return key
