"""The contract of the port Folder, and of the files it opens for appending."""

import asyncio
import errno
import gc
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lucid.base.errors import Conflict, InvalidInput, NotFound, StorageFull, Unavailable
from lucid.drivers.disk import durable
from lucid.drivers.disk.folder import DiskFolder
from tests.contract.small_disk import SmallDisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "service"


@pytest.fixture
def folder(root: Path) -> DiskFolder:
    return DiskFolder(root)


@contextmanager
def child(program: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A Python process that is killed at the end."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def lines_until_killed(program: str, root: Path, count: int) -> list[str]:
    """What a process had said to be on disk when it was killed: at least `count` whole lines."""
    with child(program, root) as process:
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, count))
        process.kill()
        return lines + [line for line in process.stdout if line.endswith("\n")]


async def test_files_are_read_as_written(folder: DiskFolder) -> None:
    files = {"a": b"", "b/c": b"\x00\xff", "b/d/e": bytes(100_000), "tile/x001/067.p/12": b"t", "Grüße": b"u"}
    await folder.write(files)
    assert {path: await folder.read(path) for path in files} == files
    await folder.write({"a": b"new"})
    assert await folder.read("a") == b"new"


@pytest.mark.parametrize("path", ["missing", "a/missing", "file/below-a-file", "a"])
async def test_what_is_no_file_is_not_found(folder: DiskFolder, path: str) -> None:
    await folder.write({"a/b": b"1", "file": b"2"})
    with pytest.raises(NotFound):
        await folder.read(path)


async def test_ranges_of_a_file_are_read_one_behind_the_other(folder: DiskFolder) -> None:
    data = bytes(range(256)) * 100
    await folder.write({"a/b": data})
    assert await folder.read_ranges("a/b", [(0, 10)]) == data[:10]
    assert await folder.read_ranges("a/b", [(300, 7), (5, 3), (5, 3)]) == data[300:307] + data[5:8] * 2
    assert await folder.read_ranges("a/b", [(0, 1_000_000)]) == data
    assert await folder.read_ranges("a/b", [(25_590, 100), (25_600, 1), (90_000, 5), (1, 2)]) == data[-10:] + data[1:3]
    assert await folder.read_ranges("a/b", []) == b""
    file = await folder.open_append("a/b")
    await file.append(b"more")
    assert await folder.read_ranges("a/b", [(25_599, 5)]) == data[-1:] + b"more"
    await file.close()
    for path in ("missing", "a", "a/b/c"):
        with pytest.raises(NotFound):
            await folder.read_ranges(path, [(0, 1)])


async def test_ranges_are_read_into_memory_where_they_find_room(folder: DiskFolder) -> None:
    data = bytes(range(256)) * 100
    await folder.write({"a/b": data})
    memory = memoryview(bytearray(110))
    ranges = [(300, 7), (25_590, 100), (5, 3)]
    assert await folder.read_into("a/b", ranges, memory) == data[300:307] + data[-10:] + data[5:8]
    assert memory == data[300:307] + data[-10:] + data[5:8] + bytes(90)
    assert await folder.read_into("a/b", [(1, 2)], memory) == data[1:3]
    assert len(await folder.read_into("a/b", [], memory)) == 0
    assert memory[:7] == data[1:3] + data[302:307]
    assert await folder.read_into("a/b", [(0, 111)], memory) == data[:111]
    assert memory[:7] == data[1:3] + data[302:307]
    for path in ("missing", "a", "a/b/c"):
        with pytest.raises(NotFound):
            await folder.read_into(path, [(0, 1)], memory)
    with pytest.raises(InvalidInput):
        await folder.read_into("../x", [(0, 1)], memory)


async def test_list_is_sorted_and_below_a_path(folder: DiskFolder) -> None:
    assert await folder.list() == []
    await folder.write({"b/2": b"", "a-b": b"", "a/z": b"", "b/1/x": b"", "c": b""})
    assert await folder.list() == ["a-b", "a/z", "b/1/x", "b/2", "c"]
    assert await folder.list("b") == ["b/1/x", "b/2"]
    assert await folder.list("b/1") == ["b/1/x"]
    assert await folder.list("d") == []


async def test_delete_takes_a_file_or_all_of_a_folder(folder: DiskFolder) -> None:
    await folder.write({"a": b"", "b/1": b"", "b/c/2": b"", "d": b""})
    assert [await folder.delete(path) for path in ("a", "a", "b", "b/1", "e/f")] == [True, False, True, False, False]
    assert await folder.list() == ["d"]
    await folder.write({"b/1": b"again"})
    assert await folder.read("b/1") == b"again"


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", ".", ".lock", "a/.b", "\0"]
)
async def test_no_path_leaves_the_folder(folder: DiskFolder, path: str) -> None:
    for call in (
        folder.read(path),
        folder.read_ranges(path, [(0, 1)]),
        folder.write({path: b""}),
        folder.delete(path),
        folder.open_append(path),
    ):
        with pytest.raises(InvalidInput):
            await call
    if path:
        with pytest.raises(InvalidInput):
            await folder.list(path)
    assert await folder.list() == []


async def test_a_link_out_of_the_folder_is_not_appended_to(folder: DiskFolder, root: Path, tmp_path: Path) -> None:
    await folder.write({"a": b""})
    (tmp_path / "outside").write_bytes(b"")
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(Unavailable):
        await folder.open_append("link")


def modes_below(root: Path) -> dict[str, set[int]]:
    paths = [root, *root.rglob("*")]
    return {
        "folders": {path.stat().st_mode & 0o777 for path in paths if path.is_dir()},
        "files": {path.stat().st_mode & 0o777 for path in paths if path.is_file()},
    }


async def test_files_are_the_owners_alone(folder: DiskFolder, root: Path) -> None:
    await folder.lock()
    await folder.write({"a/b": b"1"})
    await (await folder.open_append("c/d")).close()
    assert modes_below(root) == {"folders": {0o700}, "files": {0o600}}


async def test_readers_see_whole_files_only(folder: DiskFolder) -> None:
    versions = [bytes([n]) * 50_000 for n in range(20)]
    await folder.write({"a": versions[0]})

    async def write() -> None:
        for version in versions:
            await folder.write({"a": version})

    writing = asyncio.create_task(write())
    while not writing.done():
        assert await folder.read("a") in versions
    await writing


def traced_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced and renamed from now on, in order."""
    steps: list[str] = []
    sync_folder, replace, fsync = durable.sync_folder, Path.replace, os.fsync

    def traced_sync(path: Path) -> None:
        steps.append(f"sync {path.name}")
        sync_folder(path)

    def traced_replace(source: Path, target: Path) -> Path:
        steps.append(f"rename {target.name}")
        return replace(source, target)

    def traced_fsync(descriptor: int) -> None:
        steps.append("data")
        fsync(descriptor)

    monkeypatch.setattr(durable, "sync_folder", traced_sync)
    monkeypatch.setattr(Path, "replace", traced_replace)
    monkeypatch.setattr(os, "fsync", traced_fsync)
    return steps


async def test_a_name_is_synced_before_the_next_folder_is_touched(
    folder: DiskFolder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await folder.write({"a/0": b"", "b/0": b"", "checkpoint": b""})  # the folders are there and synced
    steps = traced_steps(monkeypatch)
    await folder.write({"a/1": b"1", "a/2": b"2", "b/3": b"3", "checkpoint": b"4"})
    names = [step for step in steps if step != "data"]
    assert steps[:5] == ["data"] * 4 + ["rename 1"]
    assert names == ["rename 1", "rename 2", "sync a", "rename 3", "sync b", "rename checkpoint", "sync service"]


GENERATIONS = """
import asyncio, itertools, sys
from pathlib import Path
from lucid.drivers.disk.folder import DiskFolder

async def main():
    folder = DiskFolder(Path(sys.argv[1]))
    await folder.lock()
    for n in itertools.count(1):
        text = str(n).encode()
        await folder.write({"tile/1": text, "tile/2": text, "block/1": text, "checkpoint": text})
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("count", [1, 2, 17, 60])
async def test_a_kill_leaves_files_in_order_and_none_half(folder: DiskFolder, root: Path, count: int) -> None:
    acknowledged = int(lines_until_killed(GENERATIONS, root, count)[-1])
    paths = ["tile/1", "tile/2", "block/1", "checkpoint"]
    generations = [int(await folder.read(path)) for path in paths]
    assert generations == sorted(generations, reverse=True)
    assert generations[-1] >= acknowledged
    assert await folder.list() == sorted(paths)
    await folder.lock()
    assert list((root / durable.TEMPORARY).iterdir()) == []


APPENDS = """
import asyncio, itertools, sys
from pathlib import Path
from lucid.drivers.disk.folder import DiskFolder

async def main():
    file = await DiskFolder(Path(sys.argv[1])).open_append("journal/1")
    for n in itertools.count():
        await file.append(b"%08d" % n)
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("count", [1, 100])
async def test_acknowledged_appends_survive_a_kill(folder: DiskFolder, root: Path, count: int) -> None:
    acknowledged = int(lines_until_killed(APPENDS, root, count)[-1])
    data = await folder.read("journal/1")
    records = [int(data[at : at + 8]) for at in range(0, len(data) - 7, 8)]
    assert records == list(range(len(records)))
    assert len(records) > acknowledged


HOLDER = """
import asyncio, sys
from pathlib import Path
from lucid.drivers.disk.folder import DiskFolder

folder = DiskFolder(Path(sys.argv[1]))
asyncio.run(folder.lock())
print("locked", flush=True)
sys.stdin.read()
"""


async def test_one_process_owns_the_folder_until_it_ends(folder: DiskFolder, root: Path) -> None:
    with child(HOLDER, root) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(Conflict, match="another running process"):
            await folder.lock()
    await folder.lock()
    await folder.lock()


async def test_a_lock_ends_with_its_folder_object(root: Path) -> None:
    first = DiskFolder(root)
    await first.lock()
    with pytest.raises(Conflict):
        await DiskFolder(root).lock()
    await first.release()
    second = DiskFolder(root)
    await second.lock()
    del second
    gc.collect()
    await first.lock()


async def test_a_file_only_grows_and_is_continued(folder: DiskFolder) -> None:
    file = await folder.open_append("a/journal")
    assert await folder.read("a/journal") == b""
    await file.append(b"one")
    await file.append(b"")
    assert await folder.read("a/journal") == b"one"
    await file.close()
    await file.close()
    with pytest.raises(Unavailable):
        await file.append(b"late")
    again = await folder.open_append("a/journal")
    await again.append(b"two")
    await again.close()
    assert await folder.read("a/journal") == b"onetwo"


async def test_appends_of_a_cancelled_caller_do_not_mix_with_the_next(folder: DiskFolder) -> None:
    file = await folder.open_append("journal")
    first = asyncio.create_task(file.append(b"a" * 1_000_000))
    await asyncio.sleep(0)
    first.cancel()
    await file.append(b"b" * 1000)
    await file.close()
    data = await folder.read("journal")
    assert data in (b"a" * 1_000_000 + b"b" * 1000, b"b" * 1000)


async def test_a_full_disk_leaves_nothing_behind(small_disk: SmallDisk) -> None:
    folder = DiskFolder(small_disk.path / "service")
    await folder.write({"a": b"old", "b": b"old"})
    small_disk.fill(leave=65_536)
    with pytest.raises(StorageFull):
        await folder.write({"a": b"new", "c/d": b"new", "b": bytes(1_000_000)})
    assert {path: await folder.read(path) for path in await folder.list()} == {"a": b"old", "b": b"old"}
    assert list((small_disk.path / "service" / durable.TEMPORARY).iterdir()) == []
    small_disk.free()
    await folder.write({"b": bytes(1_000_000)})


async def test_a_file_that_met_a_full_disk_is_unusable(small_disk: SmallDisk) -> None:
    folder = DiskFolder(small_disk.path / "service")
    file = await folder.open_append("journal")
    await file.append(b"before")
    small_disk.fill()
    with pytest.raises(StorageFull, match="journal"):
        await file.append(bytes(100_000))
    small_disk.free()
    with pytest.raises(Unavailable):
        await file.append(b"after")
    await file.close()
    assert (await folder.read("journal")).startswith(b"before")


@pytest.mark.parametrize(("code", "expected"), [(errno.EIO, Unavailable), (errno.EDQUOT, StorageFull)])
async def test_errors_of_the_disk(
    folder: DiskFolder, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[Exception]
) -> None:
    await folder.write({"a": b"old"})
    file = await folder.open_append("journal")

    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(expected):
        await folder.write({"a": b"new"})
    with pytest.raises(expected):
        await file.append(b"x")
    monkeypatch.undo()
    assert await folder.read("a") == b"old"
    await file.close()


async def test_many_files_are_synced_side_by_side(folder: DiskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    running = most = 0
    everyone = asyncio.Event()
    loop = asyncio.get_running_loop()
    fdatasync = os.fdatasync

    async def arrive() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 20:
            everyone.set()
        await everyone.wait()

    def meet(descriptor: int) -> None:
        asyncio.run_coroutine_threadsafe(arrive(), loop).result()
        fdatasync(descriptor)

    files = [await folder.open_append(f"{n}") for n in range(20)]
    monkeypatch.setattr(os, "fdatasync", meet)
    await asyncio.wait_for(asyncio.gather(*(file.append(b"x") for file in files)), 10)
    assert most == 20
    for file in files:
        await file.close()
