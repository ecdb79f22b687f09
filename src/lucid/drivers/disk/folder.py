"""A service's own folder on a local disk (port Folder)."""

import contextlib
import fcntl
import os
import shutil
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lucid.base.errors import Conflict, InvalidInput, NotFound
from lucid.drivers.disk.appending import DiskAppendFile
from lucid.drivers.disk.durable import DurableTree, disk_errors, in_thread, sync_folder

LOCK = ".lock"


class DiskFolder:
    """The folder `root`, created at the first write. Names that begin with a dot are the driver's own."""

    def __init__(self, root: Path) -> None:
        self._tree = DurableTree(root)
        self._root = root
        self._unlock: weakref.finalize[[int], DiskFolder] | None = None

    async def lock(self) -> None:
        """As the port says; files that an earlier process left unfinished are removed."""
        await in_thread(self._lock)

    def _lock(self) -> None:
        if self._unlock is not None and self._unlock.alive:
            return
        with disk_errors(str(self._root)):
            self._tree.make_folder(self._root)
            descriptor = os.open(self._root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise Conflict(f"{self._root} belongs to another running process") from None
            self._unlock = weakref.finalize(self, os.close, descriptor)
            self._tree.clear_temporary()

    async def release(self) -> None:
        """Give the lock up before the process ends, as a restart within one process needs it."""
        if self._unlock is not None:
            self._unlock()

    async def write(self, files: Mapping[str, bytes]) -> None:
        targets = {self._path(path): data for path, data in files.items()}
        await in_thread(self._write, targets)

    def _write(self, targets: Mapping[Path, bytes]) -> None:
        with disk_errors(str(self._root)):
            self._tree.write(targets)

    async def open_append(self, path: str) -> DiskAppendFile:
        descriptor = await in_thread(self._open_append, path, self._path(path))
        return DiskAppendFile(path, descriptor)

    def _open_append(self, path: str, target: Path) -> int:
        with disk_errors(path):
            self._tree.make_folder(target.parent)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(target, flags, 0o600)
            try:
                sync_folder(target.parent)
            except OSError:
                os.close(descriptor)
                raise
            return descriptor

    async def read(self, path: str) -> bytes:
        return await in_thread(self._read, path, self._path(path))

    def _read(self, path: str, target: Path) -> bytes:
        with disk_errors(path):
            try:
                return target.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NotFound(f"no file {path}") from None

    async def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> bytes:
        return await in_thread(self._read_ranges, path, self._path(path), ranges)

    def _read_ranges(self, path: str, target: Path, ranges: Sequence[tuple[int, int]]) -> bytes:
        with _opened(path, target) as descriptor:
            return b"".join(_read_range(descriptor, offset, length) for offset, length in ranges)

    async def read_into(self, path: str, ranges: Sequence[tuple[int, int]], memory: memoryview) -> memoryview:
        return await in_thread(self._read_into, path, self._path(path), ranges, memory)

    def _read_into(self, path: str, target: Path, ranges: Sequence[tuple[int, int]], memory: memoryview) -> memoryview:
        size = sum(length for _, length in ranges)
        view, done = memory if len(memory) >= size else memoryview(bytearray(size)), 0
        with _opened(path, target) as descriptor:
            for offset, length in ranges:
                left = length
                while left and (count := os.preadv(descriptor, [view[done : done + left]], offset)):
                    offset, done, left = offset + count, done + count, left - count
        return view[:done]

    async def list(self, path: str = "") -> list[str]:
        return await in_thread(_files_below, self._path(path) if path else self._root, self._root)

    async def delete(self, path: str) -> bool:
        return await in_thread(self._delete, path, self._path(path))

    def _delete(self, path: str, target: Path) -> bool:
        with disk_errors(path):
            try:
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                    self._tree.forget_folders()
                else:
                    target.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return False
            with contextlib.suppress(FileNotFoundError):  # the parent may be deleted at the same time
                sync_folder(target.parent)
            return True

    def _path(self, path: str) -> Path:
        """The file that `path` names. Raises InvalidInput for one that could leave the folder."""
        parts = path.split("/")
        if any(not part or part.startswith(".") or "\0" in part for part in parts):
            raise InvalidInput(f"not a path inside the folder: {path[:100]!r}", field="path")
        return self._root.joinpath(*parts)


@contextlib.contextmanager
def _opened(path: str, target: Path) -> Iterator[int]:
    """A file to read, and the errors of that as ours."""
    with disk_errors(path):
        try:
            with target.open("rb", buffering=0) as file:
                yield file.fileno()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound(f"no file {path}") from None


def _read_range(descriptor: int, offset: int, length: int) -> bytes:
    """As much of a range as there is. One call reads at most 2 GiB (man 2 pread)."""
    parts = []
    while length and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


def _files_below(start: Path, root: Path) -> list[str]:
    found = []
    with disk_errors(str(start)):
        for folder, folders, names in os.walk(start, onerror=_unless_missing):
            folders[:] = [name for name in folders if not name.startswith(".")]
            relative = Path(folder).relative_to(root)
            found += [(relative / name).as_posix() for name in names if not name.startswith(".")]
    return sorted(found)


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
