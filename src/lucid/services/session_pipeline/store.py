"""Where sessions and their chunk lists are kept, and who is told when they change."""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog
from pydantic import ValidationError

from lucid.base.errors import Corrupted, LucidError
from lucid.model.canonical import first_problem
from lucid.model.chunk import ChunkRecord
from lucid.model.session import Session, SessionState
from lucid.ports.stores import Bus, Documents, Stored
from lucid.recording.lifecycle import SessionRecord

SESSIONS = "sessions"
CHUNKS = "chunks"
TOPIC = "sessions"
_PAGE = 500

_log = structlog.get_logger()


class SessionStore:
    """Sessions as documents. A session's chunks are documents of their own, so that storing one costs the same
    at the end of a long session as at its beginning."""

    def __init__(self, documents: Documents, bus: Bus) -> None:
        self._documents = documents
        self._bus = bus
        self._changed = asyncio.Event()

    async def insert(self, record: SessionRecord) -> "Held":
        """Raises Conflict when the session exists."""
        return await self._told(await self._documents.insert(SESSIONS, record.id, _body(record)))

    async def replace(self, held: "Held", record: SessionRecord) -> "Held":
        """Raises Conflict when the session has changed since `held` was read."""
        stored = await self._documents.replace(SESSIONS, record.id, _body(record), version=held.version)
        return await self._told(stored) if record.state is not held.record.state else Held(stored)

    async def get(self, session: str) -> "Held":
        """Raises NotFound."""
        return Held(await self._documents.get(SESSIONS, session))

    async def find(
        self, states: Sequence[str] = (), *, after: str | None = None, newest_first: bool = False, limit: int = _PAGE
    ) -> list[SessionRecord]:
        """Sessions in any of `states` (none: all), by id, which is by age."""
        where = {"state": [str(state) for state in states]} if states else None
        found = await self._documents.find(SESSIONS, where, after=after, newest_first=newest_first, limit=limit)
        return [Held(stored).record for stored in found]

    async def add_chunk(self, session: str, chunk: ChunkRecord) -> None:
        """Raises Conflict when the index is taken."""
        body = {"session": session, "digest": chunk.digest, "chunk": chunk.model_dump(mode="json")}
        await self._documents.insert(CHUNKS, f"{session}-{chunk.index:012d}", body)

    async def chunks(self, session: str) -> list[ChunkRecord]:
        """The session's chunks in order."""
        chunks: list[ChunkRecord] = []
        after = None
        while True:
            page = await self._documents.find(CHUNKS, {"session": session}, after=after, limit=_PAGE)
            chunks += [ChunkRecord.model_validate(stored.body["chunk"]) for stored in page]
            if len(page) < _PAGE:
                return chunks
            after = page[-1].id

    async def remembered(self, digests: Sequence[str]) -> set[str]:
        """Those of `digests` that are chunks of a session."""
        found = await self._documents.find(CHUNKS, {"digest": list(digests)}, limit=max(len(digests), 1))
        return {stored.body["digest"] for stored in found}

    async def wait_settled(self, session: str, wait_s: float) -> Session:
        """The session as soon as it is proven or failed, or as it is after `wait_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while True:
                    changed = self._changed
                    if (await self.get(session)).record.state in (SessionState.PROVEN, SessionState.FAILED):
                        break
                    await changed.wait()
        return (await self.get(session)).record.public(await self.chunks(session))

    async def _told(self, stored: Stored) -> "Held":
        held = Held(stored)
        self._changed.set()
        self._changed = asyncio.Event()
        try:
            await self._bus.publish(TOPIC, {"session": held.record.id, "state": str(held.record.state)})
        except LucidError as error:
            _log.warning("event lost", session=held.record.id, error=error.detail)
        return held


class Held:
    """A session as read or written last, with the version that a replacement must name. Raises Corrupted for a
    document that is no session."""

    def __init__(self, stored: Stored) -> None:
        self.version = stored.version
        try:
            self.record = SessionRecord.model_validate(stored.body)
        except ValidationError as error:
            raise Corrupted(f"the stored session {stored.id} cannot be read: {first_problem(error)}") from None


def _body(record: SessionRecord) -> dict[str, object]:
    return record.model_dump(mode="json", exclude={"chunks"})
