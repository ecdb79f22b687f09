"""Chunks that no session knows, and that none will."""

import asyncio

import structlog

from lucid.base.errors import Corrupted, InvalidInput, LucidError, NotFound
from lucid.model.chunk import ChunkHeader
from lucid.model.session import SessionState
from lucid.ports.recording import Storage
from lucid.services.session_pipeline.store import SessionStore

_PAGE = 500

_log = structlog.get_logger()


class Orphans:
    """Deletes what a crash between storing a chunk and remembering it leaves: the segment is then sealed again under
    another attempt, as another chunk. A chunk goes only when its session is proven with another one in its place;
    what is left over of any other session, known here or not, is left alone."""

    def __init__(self, store: SessionStore, storage: Storage, *, interval_s: float) -> None:
        self._store = store
        self._storage = storage
        self._interval_s = interval_s

    async def sweep_often(self) -> None:
        """Sweep at intervals, for ever; not at all if the interval is 0."""
        while self._interval_s:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except LucidError as error:
                _log.warning("sweep failed", error=error.detail)

    async def sweep(self) -> int:
        """Look at all chunks once; how many were deleted."""
        deleted, after = 0, None
        while page := await self._storage.digests(after=after, limit=_PAGE):
            after = page[-1]
            for digest in sorted(set(page) - await self._store.remembered(page)):
                if await self._is_orphan(digest) and await self._storage.delete(digest=digest):
                    deleted += 1
                    _log.info("orphan chunk deleted", digest=digest)
        return deleted

    async def _is_orphan(self, digest: str) -> bool:
        try:
            header = ChunkHeader.from_bytes(await self._storage.get(digest=digest))
            record = (await self._store.get(header.session)).record
        except (NotFound, Corrupted, InvalidInput):  # gone meanwhile, or evidence that is not ours to destroy
            return False
        if record.state is not SessionState.PROVEN:
            return False
        places = {chunk.index: chunk.digest for chunk in await self._store.chunks(header.session)}
        return places.get(header.index, digest) != digest
