"""Records of all sessions, made durable together."""

import asyncio
from typing import Protocol

from lucid.base.errors import LucidError, Unavailable
from lucid.base.tasks import Tasks
from lucid.services.session_recorder.files import Extent, JournalFiles

PAGE_BYTES = 2 * 1024 * 1024
"""Memory that the records of one batch are put into, one behind the other; as much again is taken when it is full.
The longest record fits."""

KEPT_PAGES = 2
"""How many are kept for later batches."""


class Record(Protocol):
    """A record on its way to the disk. Either of its methods is called once. `submitted`: the event loop's time."""

    data: bytes | memoryview
    submitted: float

    def durable(self, extent: Extent) -> bool:
        """It is on disk; False when nobody wants it any more."""
        ...

    def failed(self, error: LucidError) -> None:
        """It could not be written, or not in time."""
        ...


class GroupCommit:
    """What is submitted in one round of the event loop, and while the batch before it is being written, is one write
    and one sync. A batch whose write fails fails whole; a record that is not durable `limit_s` after it was submitted
    fails, whatever the disk does afterwards. The file of either is written no more."""

    def __init__(self, files: JournalFiles, tasks: Tasks, *, limit_s: float) -> None:
        self._files = files
        self._tasks = tasks
        self._limit_s = limit_s
        self._pending: list[Record] = []
        self._pages: list[_Page] = []
        self._free: list[_Page] = []
        self._begins: asyncio.Handle | None = None
        self._batch: _Batch | None = None

    def place(self, length: int) -> memoryview:
        """Room for a record's bytes, which is submitted at once: memory that was in use lately, which is several times
        faster than fresh memory."""
        if not self._pages or self._pages[-1].left < length:
            self._pages.append(self._free.pop() if self._free else _Page())
        return self._pages[-1].take(length)

    def submit(self, record: Record) -> None:
        self._pending.append(record)
        if self._batch is None and self._begins is None:
            # Behind everything else of this round, so that all that it submits goes together.
            self._begins = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._begins = None
        batch = self._batch = _Batch(self._pending, self._pages)
        self._pending, self._pages = [], []
        self._watch(batch)
        self._tasks.spawn(self._commit(batch), name="commit")

    def _watch(self, batch: "_Batch") -> None:
        due = batch.records[0].submitted + self._limit_s
        batch.watchdog = asyncio.get_running_loop().call_at(due, self._expire, batch)

    async def _commit(self, batch: "_Batch") -> None:
        try:
            await batch.write(self._files)
        except LucidError as error:
            batch.fail(self._files, error)
        if batch.watchdog is not None:
            batch.watchdog.cancel()
        self._free = [page.cleared() for page in (*self._free, *batch.pages)][:KEPT_PAGES]
        self._next(batch)

    def _next(self, batch: "_Batch") -> None:
        if self._batch is batch:
            self._batch = None
            if self._pending:
                self._begin()

    def _expire(self, batch: "_Batch") -> None:
        """The batch takes too long: its overdue records fail, and what waits for it goes to another file."""
        batch.watchdog = None
        before = asyncio.get_running_loop().time() - self._limit_s
        error = Unavailable(f"not on disk within {self._limit_s:g} s")
        batch.fail(self._files, error, before=before)
        if batch.records:
            self._watch(batch)
        self._next(batch)


class _Page:
    def __init__(self) -> None:
        self._memory = memoryview(bytearray(PAGE_BYTES))
        self._used = 0

    @property
    def left(self) -> int:
        return PAGE_BYTES - self._used

    def take(self, length: int) -> memoryview:
        start, self._used = self._used, self._used + length
        return self._memory[start : self._used]

    def cleared(self) -> "_Page":
        self._used = 0
        return self


class _Batch:
    """Records that are written together, oldest first; `extents` once they have a place."""

    def __init__(self, records: list[Record], pages: "list[_Page]") -> None:
        self.records = records
        self.pages = pages
        self.extents: list[Extent] = []
        self.watchdog: asyncio.TimerHandle | None = None

    async def write(self, files: JournalFiles) -> None:
        """Raises StorageFull, Unavailable."""
        file = await files.writable()
        writer, records = file.writer, self.records
        if not records or writer is None:
            return  # they have expired while the file was being opened
        lengths = [len(record.data) for record in records]
        offset = files.grow(file, sum(lengths))
        for length in lengths:
            self.extents.append(Extent(file, offset, length))
            offset += length
        await writer.append(*(record.data for record in records))
        unwanted = [
            extent for record, extent in zip(self.records, self.extents, strict=True) if not record.durable(extent)
        ]
        files.drop(unwanted)
        self.records = []

    def fail(self, files: JournalFiles, error: LucidError, *, before: float | None = None) -> None:
        """Fail the records submitted at `before` or earlier, or all of them."""
        count = len([record for record in self.records if before is None or record.submitted <= before])
        failed, self.records = self.records[:count], self.records[count:]
        dropped, self.extents = self.extents[:count], self.extents[count:]
        for extent in dropped[:1]:
            files.retire(extent.file)
        files.drop(dropped)
        for record in failed:
            record.failed(error)
