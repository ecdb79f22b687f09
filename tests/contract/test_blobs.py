"""The contract of the port Blobs."""

import asyncio
import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.base.errors import Corrupted, InvalidInput, NotFound, StorageFull
from lucid.drivers.disk import durable
from lucid.drivers.disk.blobs import DiskBlobs
from tests.contract.small_disk import SmallDisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "blobs"


@pytest.fixture
def blobs(root: Path) -> DiskBlobs:
    return DiskBlobs(root)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def all_digests(blobs: DiskBlobs) -> list[str]:
    return [digest async for digest in blobs.digests()]


def only_file(root: Path) -> Path:
    (path,) = (path for path in root.rglob("*") if path.is_file())
    return path


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=10_000))
def test_bytes_come_back_by_their_digest(root: Path, data: bytes) -> None:
    async def check() -> None:
        blobs = DiskBlobs(root)
        digest = await blobs.put(data)
        assert digest == digest_of(data)
        assert await blobs.get(digest) == data
        assert await blobs.size(digest) == len(data)

    asyncio.run(check())


async def test_the_same_bytes_may_be_stored_again(blobs: DiskBlobs) -> None:
    digests = await asyncio.gather(*(blobs.put(b"same") for _ in range(10)))
    assert set(digests) == {digest_of(b"same")}
    assert await all_digests(blobs) == [digest_of(b"same")]


async def test_what_is_not_there_is_not_found(blobs: DiskBlobs) -> None:
    digest = digest_of(b"missing")
    for _ in range(2):
        for call in (blobs.get(digest), blobs.size(digest)):
            with pytest.raises(NotFound, match=digest):
                await call
        assert not await blobs.delete(digest)
        assert await all_digests(blobs) == []
        await blobs.delete(await blobs.put(b"other"))  # the second time the folders are there


@pytest.mark.parametrize("digest", ["", "a", "../../etc/passwd", "G" * 64, "A" * 64, "a" * 63 + "\n", "a" * 65])
async def test_what_is_no_digest_is_refused(blobs: DiskBlobs, digest: str) -> None:
    for call in (blobs.get(digest), blobs.size(digest), blobs.delete(digest)):
        with pytest.raises(InvalidInput):
            await call


async def test_damage_is_found_and_healed_by_storing_again(blobs: DiskBlobs, root: Path) -> None:
    digest = await blobs.put(b"precious")
    only_file(root).write_bytes(b"precioux")
    with pytest.raises(Corrupted, match=digest):
        await blobs.get(digest)
    await blobs.put(b"precious")
    assert await blobs.get(digest) == b"precious"


async def test_delete_says_whether_there_was_one(blobs: DiskBlobs) -> None:
    digest = await blobs.put(b"gone")
    assert [await blobs.delete(digest), await blobs.delete(digest)] == [True, False]
    with pytest.raises(NotFound):
        await blobs.get(digest)


async def test_digests_come_in_order_and_nothing_else(blobs: DiskBlobs, root: Path) -> None:
    digests = await asyncio.gather(*(blobs.put(str(n).encode()) for n in range(300)))
    (root / "other").mkdir()
    (root / digests[0][:2] / "note").write_text("not a blob")
    assert await all_digests(blobs) == sorted(digests)


async def test_files_are_the_owners_alone(blobs: DiskBlobs, root: Path) -> None:
    await blobs.put(b"private")
    assert [mode_of(path) for path in (only_file(root), only_file(root).parent, root)] == [0o600, 0o700, 0o700]


async def test_a_full_disk_leaves_nothing_behind(small_disk: SmallDisk) -> None:
    root = small_disk.path / "blobs"
    blobs = DiskBlobs(root)
    kept = await blobs.put(b"kept")
    small_disk.fill(leave=65_536)
    for _ in range(3):
        with pytest.raises(StorageFull):
            await blobs.put(os.urandom(1_000_000))
    assert await all_digests(blobs) == [kept]
    assert list((root / durable.TEMPORARY).iterdir()) == []
    assert await blobs.get(kept) == b"kept"
    small_disk.free()
    await blobs.put(os.urandom(1_000_000))


async def test_data_and_names_are_synced_before_put_returns(
    blobs: DiskBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(root.parent.parent)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    digest = await blobs.put(b"durable")
    data = next(at for at, name in enumerate(synced) if name.startswith("data/blobs/.tmp/"))
    assert synced[-1] == f"data/blobs/{digest[:2]}"
    assert {"data", "data/blobs", "."} <= set(synced)
    assert data < len(synced) - 1


PUTS = """
import asyncio, itertools, sys
from pathlib import Path
from lucid.drivers.disk.blobs import DiskBlobs

async def main():
    blobs = DiskBlobs(Path(sys.argv[1]))
    for n in itertools.count():
        print(await blobs.put(b"%d" % n * 10_000), flush=True)

asyncio.run(main())
"""


def killed_while_putting(root: Path, count: int) -> list[str]:
    command = [sys.executable, "-c", PUTS, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, count))
        process.kill()
        return [line.strip() for line in [*lines, *process.stdout] if line.endswith("\n")]


@pytest.mark.parametrize("count", [1, 10, 60])
async def test_acknowledged_blobs_survive_a_kill(blobs: DiskBlobs, root: Path, count: int) -> None:
    acknowledged = killed_while_putting(root, count)
    stored = await all_digests(blobs)
    assert set(acknowledged) <= set(stored)
    for digest in stored:
        await blobs.get(digest)
    await blobs.put(b"next")
    assert list((root / durable.TEMPORARY).iterdir()) == []
