import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.base.errors import Corrupted, InvalidInput, NotFound, StorageFull
from lucid.base.ids import new_session_id
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.model.canonical import digest_of
from lucid.model.chunk import ChunkHeader
from lucid.services.session_storage.service import SessionStorage
from lucid.services.session_storage.settings import SessionStorageSettings


def chunk(index: int, size: int = 1000) -> bytes:
    header = ChunkHeader(new_session_id(), index, 0, 0, 0, 1, 1, bytes(32))
    return header.to_bytes().ljust(size, b"\xa5")


async def started(root: Path, quota_bytes: int = 0, scrub_interval_s: float = 0) -> SessionStorage:
    settings = SessionStorageSettings(quota_bytes=quota_bytes, scrub_interval_s=scrub_interval_s)
    storage = SessionStorage(settings, blobs=DiskBlobs(root))
    await storage.start()
    return storage


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SessionStorage]:
    storage = await started(tmp_path)
    yield storage
    await storage.stop()


async def test_chunks_are_kept_and_counted(storage: SessionStorage, tmp_path: Path) -> None:
    data = chunk(0)
    digest = await storage.put(chunk=data)
    await storage.put(chunk=chunk(1, 500))
    assert digest == digest_of(data)
    assert await storage.get(digest=digest) == data
    usage = await storage.usage()
    assert (usage.chunks, usage.bytes, usage.quota_bytes) == (2, 1500, 0)
    assert await (await started(tmp_path)).usage() == usage
    assert await storage.delete(digest=digest)
    assert not await storage.delete(digest=digest)
    assert (await storage.usage()).bytes == 500
    with pytest.raises(NotFound):
        await storage.get(digest=digest)


async def test_chunks_are_listed_page_by_page_and_from_anywhere(storage: SessionStorage) -> None:
    digests = sorted([await storage.put(chunk=chunk(n, 200)) for n in range(7)])
    assert await storage.digests() == digests
    pages, after = [], None
    while page := await storage.digests(after=after, limit=3):
        pages.append(page)
        after = page[-1]
    assert pages == [digests[:3], digests[3:6], digests[6:]]
    assert await storage.digests(after=digests[4]) == digests[5:]
    assert await storage.digests(limit=2) == digests[:2]
    await storage.delete(digest=digests[2])
    assert await storage.digests(after=digests[0], limit=1) == [digests[1]]


@pytest.mark.parametrize("data", [b"", b"LUCIDCK1", b"LUCIDCK2".ljust(200, b"\0")])
async def test_only_chunks_are_stored(storage: SessionStorage, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        await storage.put(chunk=data)
    assert (await storage.usage()).chunks == 0


async def test_the_quota_holds_for_chunks_at_the_same_time(tmp_path: Path) -> None:
    storage = await started(tmp_path, quota_bytes=2500)
    results = await asyncio.gather(*(storage.put(chunk=chunk(n)) for n in range(4)), return_exceptions=True)
    assert [type(result) for result in results].count(StorageFull) == 2
    assert (await storage.usage()).bytes == 2000
    stored = next(result for result in results if isinstance(result, str))
    await storage.delete(digest=stored)
    await storage.put(chunk=chunk(9))


async def test_a_chunk_that_could_not_be_written_is_not_counted(
    storage: SessionStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_self: object, _data: bytes) -> str:
        raise StorageFull("No space left on device")

    monkeypatch.setattr(DiskBlobs, "put", full)
    with pytest.raises(StorageFull):
        await storage.put(chunk=chunk(0))
    assert (await storage.usage()).bytes == 0


async def test_scrubbing_finds_damage(storage: SessionStorage, tmp_path: Path) -> None:
    digests = [await storage.put(chunk=chunk(n)) for n in range(3)]
    damaged = tmp_path / digests[1][:2] / digests[1]
    damaged.chmod(0o600)
    damaged.write_bytes(chunk(1)[:-1] + b"!")
    report = await storage.scrub()
    assert (report.checked, report.damaged) == (3, (digests[1],))
    with pytest.raises(Corrupted):
        await storage.get(digest=digests[1])


async def test_scrubbing_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = await started(tmp_path, scrub_interval_s=0.01)
    scrubbed = asyncio.Event()

    async def scrub() -> None:
        scrubbed.set()

    monkeypatch.setattr(storage, "scrub", scrub)
    await asyncio.wait_for(scrubbed.wait(), 5)
    await storage.stop()
