"""Writing files so that they survive a power cut, and the errors of a disk as those of the ports.

A file is durable when its data, its name, and the names of the folders above it are synced; rename is
the one step that makes it visible (man 2 fsync, man 2 rename).
"""

import asyncio
import contextlib
import errno
import itertools
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from lucid.base.errors import StorageFull, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

TEMPORARY = ".tmp"
"""Folder of files that are not renamed yet, below the root: one place to clear after a crash."""

_RUN = secrets.token_hex(4)
_numbers = itertools.count()

threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="disk")
"""Kept for disk I/O, so that it does not wait behind computations."""

_IOV_MAX = 1024
"""Parts that one call may write (man 2 writev)."""


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread kept for disk I/O. Once begun it runs to its end, even if the caller is
    cancelled."""
    return await asyncio.get_running_loop().run_in_executor(threads, partial(function, *args, **kwargs))


@contextlib.contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Raise an OSError as what `disk_error` makes of it."""
    try:
        yield
    except OSError as error:
        raise disk_error(what, error) from error


def disk_error(what: str, error: OSError) -> StorageFull | Unavailable:
    """StorageFull (no space, quota) or Unavailable; `what` names the file for a person."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return (StorageFull if full else Unavailable)(f"{what}: {error.strerror}")


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, *parts: bytes | memoryview) -> None:
    """Write all of the parts, one behind the other, in as few calls as it takes."""
    rest = [memoryview(part) for part in parts if part]
    while rest:
        written = os.writev(descriptor, rest[:_IOV_MAX])
        done = 0
        while done < len(rest) and written >= len(rest[done]):
            written -= len(rest[done])
            done += 1
        rest = rest[done:]
        if written:
            rest[0] = rest[0][written:]


class DurableTree:
    """The folder `root` and durable changes below it. Methods block and may be called from any thread.
    Files are 0600, folders 0700. Raises OSError; `disk_errors` translates."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: set[Path] = set()
        self._making = threading.Lock()

    def make_folder(self, folder: Path) -> None:
        """Create `folder` and those above it; their names are durable afterwards. A folder found there is
        synced once too, because the process that created it may not have come that far."""
        if folder in self._folders:
            return
        with self._making:
            self._make(folder)

    def _make(self, folder: Path) -> None:
        if folder in self._folders:
            return
        if self.root in folder.parents or not folder.parent.is_dir():
            self._make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
        self._folders.add(folder)

    def make_folders(self, parent: Path, names: Iterable[str]) -> None:
        """`make_folder` for many folders side by side, with one sync."""
        self.make_folder(parent)
        folders = [parent / name for name in names]
        with self._making:
            for folder in folders:
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
            sync_folder(parent)
            self._folders.update(folders)

    def forget_folders(self) -> None:
        """Look at the disk again before the next write: called after a folder was removed."""
        with self._making:
            self._folders.clear()

    def write(self, files: Mapping[Path, bytes]) -> None:
        """Write the files so that none is visible after a crash unless all before it are. Data is synced
        before the first rename; a folder is synced before a rename in another one, so neighbours share
        one sync. On an error, files not renamed yet are removed."""
        staged: list[tuple[Path, Path]] = []
        try:
            for target, data in files.items():
                self.make_folder(target.parent)
                staged.append((self._temporary(), target))
                self._stage(staged[-1][0], data)
            unsynced: Path | None = None
            for temporary, target in staged:
                if unsynced is not None and unsynced != target.parent:
                    sync_folder(unsynced)
                temporary.replace(target)
                unsynced = target.parent
            if unsynced is not None:
                sync_folder(unsynced)
        except OSError:
            for temporary, _ in staged:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            raise

    def _temporary(self) -> Path:
        folder = self.root / TEMPORARY
        self.make_folder(folder)
        return folder / f"{_RUN}-{next(_numbers)}"

    def _stage(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def clear_temporary(self) -> None:
        """Remove what an earlier process left unfinished. Only one process may use the folder."""
        with contextlib.suppress(FileNotFoundError):
            for path in (self.root / TEMPORARY).iterdir():
                if not path.name.startswith(f"{_RUN}-"):
                    path.unlink(missing_ok=True)
