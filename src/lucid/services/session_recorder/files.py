"""The files of the journal, each with records of many sessions, from their opening to their deletion."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.ports.stores import AppendFile, Folder
from lucid.services.session_recorder.backlog import Backlog
from lucid.services.session_recorder.state import log_number, log_path

FILE_BYTES = 64 * 1024 * 1024
"""Size from which on a file takes no further records: what is destroyed together, and how much one segment that is
not sealed yet can keep on the disk of others."""

_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class JournalFile:
    """A file of the journal. `size`: bytes written, or being written. `live`: those of them that are being written
    or may still be read. `writer` is None once it takes no further records."""

    path: str
    writer: AppendFile | None = None
    opened: float = 0.0
    size: int = 0
    live: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """Where records of one segment stand, one behind the other."""

    file: JournalFile
    offset: int
    length: int


def add_extent(extents: list[Extent], extent: Extent) -> None:
    """Add one that was written behind the others; what is one piece on disk becomes one extent."""
    if extents:
        last = extents[-1]
        if last.file is extent.file and last.offset + last.length == extent.offset:
            extents[-1] = Extent(last.file, last.offset, last.length + extent.length)
            return
    extents.append(extent)


class JournalFiles:
    """Opens a fresh file when the one being written is large or `file_s` old, deletes those in which nothing is
    live, and counts the bytes of all in the backlog."""

    def __init__(self, folder: Folder, tasks: Tasks, backlog: Backlog, *, file_s: float) -> None:
        self._folder = folder
        self._tasks = tasks
        self._backlog = backlog
        self._file_s = file_s
        self._files: set[JournalFile] = set()
        self._current: JournalFile | None = None
        self._next_number = 0

    def adopt(self, path: str) -> JournalFile:
        """A file of an earlier run. It takes no further records."""
        file = JournalFile(path)
        self._files.add(file)
        self._next_number = max(self._next_number, log_number(path) + 1)
        return file

    def count(self, file: JournalFile, size: int) -> None:
        """An adopted file has `size` bytes."""
        file.size = size
        self._backlog.add(size)

    async def writable(self) -> JournalFile:
        """The file that takes records now. Raises StorageFull, Unavailable."""
        now, file = asyncio.get_running_loop().time(), self._current
        if file is not None and (file.size >= FILE_BYTES or now - file.opened >= self._file_s):
            self.retire(file)
        if self._current is None:
            path, self._next_number = log_path(self._next_number), self._next_number + 1
            opened = JournalFile(path, await self._folder.open_append(path), now)
            self._files.add(opened)
            if self._current is not None:  # opened meanwhile, because this took long
                self.retire(self._current)
            self._current = opened
        return self._current

    def grow(self, file: JournalFile, count: int) -> int:
        """Take `count` bytes at the file's end as live; returns their offset."""
        offset = file.size
        file.size += count
        file.live += count
        self._backlog.add(count)
        return offset

    def retire(self, file: JournalFile) -> None:
        """Write no further records to the file."""
        if self._current is file:
            self._current = None
        if file.writer is not None:
            self._tasks.spawn(self._close(file.path, file.writer), name=f"close {file.path}")
            file.writer = None

    async def _close(self, path: str, writer: AppendFile) -> None:
        """Behind everybody's back: after a write that hangs, closing hangs too."""
        try:
            await writer.close()
        except LucidError as error:
            _log.warning("journal file not closed", file=path, error=error.detail)

    async def read(self, extents: Sequence[Extent]) -> bytes:
        """What stands there. Raises NotFound, Unavailable."""
        parts = []
        for file, group in groupby(extents, key=lambda extent: extent.file):
            ranges = [(extent.offset, extent.length) for extent in group]
            parts.append(await self._folder.read_ranges(file.path, ranges))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def read_into(self, extents: Sequence[Extent], memory: memoryview) -> bytes | memoryview:
        """The same in `memory`, if there is room for it."""
        if len(memory) < sum(extent.length for extent in extents):
            return await self.read(extents)
        done = 0
        for file, group in groupby(extents, key=lambda extent: extent.file):
            ranges = [(extent.offset, extent.length) for extent in group]
            done += len(await self._folder.read_into(file.path, ranges, memory[done:]))
        return memory[:done]

    def drop(self, extents: Iterable[Extent]) -> None:
        """Nobody reads these any more."""
        for extent in extents:
            extent.file.live -= extent.length

    async def sweep(self) -> None:
        """Delete the files in which nothing is live. Raises Unavailable; calling it again goes on."""
        for file in list(self._files):
            if file.live:  # looked at now: while another was being deleted, this one may have taken records
                continue
            self.retire(file)
            await self._folder.delete(file.path)
            if file in self._files:  # not deleted by another call meanwhile
                self._files.remove(file)
                self._backlog.remove(file.size)
