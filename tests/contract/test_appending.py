"""Appends to files on a disk: each has its own outcome, its file's order, its own time."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucid.base.errors import StorageFull, Unavailable
from lucid.drivers.disk.appending import DiskAppendFile
from lucid.drivers.disk.folder import DiskFolder


@pytest.fixture
def folder(tmp_path: Path) -> DiskFolder:
    return DiskFolder(tmp_path / "data")


class SlowDisk:
    """Counts syncs; those of one file wait until `release` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.release = threading.Event()
        self.stuck: int | None = None
        self.synced: list[int] = []
        self._fdatasync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def hang(self, file: DiskAppendFile) -> None:
        self.stuck = file._descriptor

    def _sync(self, descriptor: int) -> None:
        if descriptor == self.stuck:
            self.release.wait(10)
        self._fdatasync(descriptor)
        self.synced.append(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.release.set()


async def opened(folder: DiskFolder, count: int) -> list[DiskAppendFile]:
    return [await folder.open_append(str(number)) for number in range(count)]


async def test_parts_are_written_in_their_order_with_one_sync(folder: DiskFolder, disk: SlowDisk) -> None:
    (file,) = await opened(folder, 1)
    # More than one call takes, empty ones among them.
    parts: list[bytes | memoryview] = [b"%06d" % number for number in range(3000)]
    await file.append(*parts, b"", memoryview(bytearray(b"last")), b"")
    assert await folder.read("0") == b"".join(parts) + b"last"
    assert len(disk.synced) == 1
    await file.append()
    assert await folder.read("0") == b"".join(parts) + b"last"
    await file.close()


async def test_parts_that_the_disk_takes_piece_by_piece(folder: DiskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = await opened(folder, 1)

    def write_little(descriptor: int, parts: list[memoryview]) -> int:
        return os.write(descriptor, b"".join(parts)[:7])

    monkeypatch.setattr(os, "writev", write_little)
    await file.append(b"abc", b"defgh", b"", b"i" * 20, b"jk")
    assert await folder.read("0") == b"abcdefgh" + b"i" * 20 + b"jk"
    await file.close()


async def test_a_file_that_hangs_does_not_delay_the_others(folder: DiskFolder, disk: SlowDisk) -> None:
    files = await opened(folder, 20)
    disk.hang(files[5])
    for data in (b"x", b"y"):
        appends = [asyncio.ensure_future(file.append(data)) for file in files]
        async with asyncio.timeout(5):
            await asyncio.gather(*(append for number, append in enumerate(appends) if number != 5))
        assert not appends[5].done()
    disk.release.set()
    await appends[5]
    for number, file in enumerate(files):
        await file.close()
        assert await folder.read(str(number)) == b"xy"


async def test_an_append_returns_after_its_own_sync(folder: DiskFolder, disk: SlowDisk) -> None:
    (file,) = await opened(folder, 1)
    disk.hang(file)
    append = asyncio.ensure_future(file.append(b"x"))
    done, _ = await asyncio.wait([append], timeout=0.2)
    assert not done
    disk.release.set()
    await append
    await file.close()


@pytest.mark.parametrize("step", ["writev", "fdatasync"])
@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, StorageFull), (errno.EIO, Unavailable)])
async def test_an_error_is_one_files_alone(
    folder: DiskFolder, monkeypatch: pytest.MonkeyPatch, step: str, code: int, expected: type[Exception]
) -> None:
    files = await opened(folder, 6)
    broken, real = files[2]._descriptor, getattr(os, step)

    def maybe_fail(descriptor: int, *arguments: object) -> object:
        if descriptor == broken:
            raise OSError(code, os.strerror(code))
        return real(descriptor, *arguments)

    monkeypatch.setattr(os, step, maybe_fail)
    results = await asyncio.gather(*(file.append(b"x") for file in files), return_exceptions=True)
    assert [type(result) for result in results] == [expected if n == 2 else type(None) for n in range(6)]
    monkeypatch.undo()
    with pytest.raises(Unavailable, match="an earlier append failed"):
        await files[2].append(b"y")
    await files[3].append(b"y")
    assert await folder.read("3") == b"xy"
    for file in files:
        await file.close()


async def test_appends_of_one_file_keep_their_order(folder: DiskFolder) -> None:
    files = await opened(folder, 3)
    pieces = [b"%06d" % number for number in range(200)]
    await asyncio.gather(*(file.append(piece) for piece in pieces for file in files))
    for number, file in enumerate(files):
        await file.close()
        assert await folder.read(str(number)) == b"".join(pieces)


async def test_what_follows_a_failed_append_is_not_written(folder: DiskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = await opened(folder, 1)
    await file.append(b"good")

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    first, second = (asyncio.ensure_future(file.append(data)) for data in (b"bad", b"next"))
    await asyncio.wait([first, second])
    assert [str(append.exception()) for append in (first, second)] == [
        "0: Input/output error",
        "0: closed, or an earlier append failed",
    ]
    assert await folder.read("0") == b"goodbad"
    await file.close()


async def test_closing_waits_for_what_is_being_appended(folder: DiskFolder, disk: SlowDisk) -> None:
    files = await opened(folder, 5)
    disk.hang(files[1])
    appends = [asyncio.ensure_future(file.append(b"x" * 1000)) for file in files]
    await asyncio.sleep(0)
    appends[1].cancel()
    closes = [asyncio.ensure_future(file.close()) for file in files]
    await asyncio.gather(*(close for number, close in enumerate(closes) if number != 1))
    assert not closes[1].done()
    disk.release.set()
    await asyncio.gather(*closes)
    assert [await folder.read(str(number)) for number in range(5)] == [b"x" * 1000] * 5
    with pytest.raises(Unavailable):
        await files[0].append(b"late")
