"""The storage: validate, count, keep, scrub."""

import asyncio
from collections.abc import AsyncIterator

import structlog

from lucid.base.errors import Corrupted, LucidError, NotFound, StorageFull
from lucid.base.tasks import Tasks
from lucid.model.chunk import ChunkHeader
from lucid.ports.recording import ScrubReport, StorageUsage
from lucid.ports.stores import Blobs
from lucid.services.session_storage.settings import SessionStorageSettings

_log = structlog.get_logger()


class SessionStorage:
    """Implements the port Storage. Usage is counted at the start and kept up to date; a chunk put twice counts
    twice until the next start, since looking first would digest every chunk twice."""

    def __init__(self, settings: SessionStorageSettings, *, blobs: Blobs) -> None:
        self._settings = settings
        self._blobs = blobs
        self._tasks = Tasks("session-storage")
        self._chunks = 0
        self._bytes = 0
        self._listing: tuple[str, AsyncIterator[str]] | None = None

    async def start(self) -> None:
        async for digest in self._blobs.digests():
            self._chunks += 1
            self._bytes += await self._blobs.size(digest)
        if self._settings.scrub_interval_s:
            self._tasks.spawn(self._scrub_often(), name="scrub")

    async def stop(self) -> None:
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: no background task has failed, the quota is not used up."""
        self._tasks.check()
        self._check_quota(1)

    async def put(self, *, chunk: bytes) -> str:
        ChunkHeader.from_bytes(chunk)
        self._check_quota(len(chunk))
        # Counted before it is written, so that puts at the same time cannot pass the quota together.
        self._count(1, len(chunk))
        try:
            return await self._blobs.put(chunk)
        except BaseException:
            self._count(-1, -len(chunk))
            raise

    async def get(self, *, digest: str) -> bytes:
        return await self._blobs.get(digest)

    async def delete(self, *, digest: str) -> bool:
        try:
            size = await self._blobs.size(digest)
        except NotFound:
            return False
        deleted = await self._blobs.delete(digest)
        if deleted:
            self._count(-1, -size)
        return deleted

    async def digests(self, *, after: str | None = None, limit: int = 500) -> list[str]:
        listing, self._listing = self._listing, None
        if after is not None and listing is not None and listing[0] == after:
            behind = listing[1]
        else:
            behind = (digest async for digest in self._blobs.digests() if after is None or digest > after)
        page: list[str] = []
        while len(page) < limit and (digest := await anext(behind, None)) is not None:
            page.append(digest)
        if page:
            self._listing = page[-1], behind
        return page

    async def usage(self) -> StorageUsage:
        return StorageUsage(chunks=self._chunks, bytes=self._bytes, quota_bytes=self._settings.quota_bytes)

    async def scrub(self) -> ScrubReport:
        checked, damaged = 0, []
        async for digest in self._blobs.digests():
            checked += 1
            try:
                await self._blobs.get(digest)
            except NotFound:
                checked -= 1  # deleted meanwhile
            except Corrupted as error:
                damaged.append(digest)
                _log.error("chunk damaged", digest=digest, error=error.detail)
        _log.info("scrubbed", checked=checked, damaged=len(damaged))
        return ScrubReport(checked=checked, damaged=tuple(damaged))

    async def _scrub_often(self) -> None:
        while True:
            await asyncio.sleep(self._settings.scrub_interval_s)
            try:
                await self.scrub()
            except LucidError as error:
                _log.warning("scrub failed", error=error.detail)

    def _check_quota(self, more: int) -> None:
        quota = self._settings.quota_bytes
        if quota and self._bytes + more > quota:
            raise StorageFull(f"the chunks have reached their quota of {quota} bytes")

    def _count(self, chunks: int, size: int) -> None:
        self._chunks += chunks
        self._bytes += size
