"""Files that only grow (port AppendFile), made durable together.

An append costs little by the byte and much by the piece: a thread to wake, a sync with the file system's own commit,
a way back into the event loop. So one thread takes all appends that are pending, of all files of a folder: it writes
each, has the kernel begin to write them back, and then syncs each. The first sync's commit carries what the others
need too. While the disk is quick that thread is the only one; others join when it is not.
"""

import asyncio
import os
import weakref
from collections import deque
from dataclasses import dataclass

from lucid.base.errors import Unavailable
from lucid.drivers.disk.durable import THREADS, begin_writeback, disk_error, threads, write_all

JOIN_S = 0.05
"""While appends wait for a thread, another one joins this often: a file whose sync hangs delays others this long."""


@dataclass(slots=True, eq=False)
class _Job:
    """An append, or with `data` None closing the file. `error` is set by the thread, `done` in the event loop."""

    file: "DiskAppendFile"
    descriptor: int
    data: bytes | None
    done: asyncio.Future[None]
    error: OSError | None = None


class GroupCommit:
    """The pending appends of a folder. Belongs to one event loop; the three queues are shared with the threads, and
    a job is in one of them or in one thread's hands."""

    def __init__(self) -> None:
        self._pending: deque[_Job] = deque()
        self._written: deque[_Job] = deque()
        self._finished: deque[_Job] = deque()
        self._workers = 0
        self._begins: asyncio.Handle | None = None
        self._joins: asyncio.TimerHandle | None = None

    def submit(self, job: _Job) -> None:
        """Have the job done by a thread. A file's jobs are submitted one after the other."""
        self._pending.append(job)
        if self._workers == 0 and self._begins is None:
            # In the loop's next round, so that all that this round appends goes together.
            self._begins = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._begins = None
        loop = asyncio.get_running_loop()
        self._workers += 1
        loop.run_in_executor(threads, self._work).add_done_callback(self._ended)
        if self._joins is None:
            self._joins = loop.call_later(JOIN_S, self._join)

    def _join(self) -> None:
        """Something takes long: tell who is done, and have another thread do what nobody has taken up."""
        self._joins = None
        self._settle()
        if self._begins is None and self._workers and (self._pending or self._written) and self._workers < THREADS:
            self._begin()
        elif self._workers:
            self._joins = asyncio.get_running_loop().call_later(JOIN_S, self._join)

    def _ended(self, worker: asyncio.Future[None]) -> None:
        self._workers -= 1
        if self._workers == 0 and self._joins is not None:
            self._joins.cancel()
            self._joins = None
        self._settle()
        if self._pending and self._workers == 0 and self._begins is None:
            self._begin()  # submitted when the thread had found nothing more
        worker.result()

    def _settle(self) -> None:
        while self._finished:
            job = self._finished.popleft()
            job.file.finished(job)

    def _work(self) -> None:
        """In a thread: write all there is, then sync one file, and look again."""
        while True:
            if (job := _next(self._pending)) is not None:
                self._write(job)
            elif (job := _next(self._written)) is not None:
                try:
                    os.fdatasync(job.descriptor)
                except OSError as error:
                    job.error = error
                self._finished.append(job)
            else:
                return

    def _write(self, job: _Job) -> None:
        try:
            if job.data is None:
                job.file.release()
                self._finished.append(job)
                return
            write_all(job.descriptor, job.data)
            if self._pending or self._written:
                begin_writeback(job.descriptor)
        except OSError as error:
            job.error = error
            self._finished.append(job)
        else:
            self._written.append(job)


def _next(jobs: deque[_Job]) -> _Job | None:
    try:
        return jobs.popleft()
    except IndexError:
        return None


class DiskAppendFile:
    """A file that only grows: O_APPEND, and fdatasync before an append returns."""

    def __init__(self, path: str, descriptor: int, commit: GroupCommit) -> None:
        self._path = path
        self._descriptor = descriptor
        self._commit = commit
        self._usable = True
        # The first is being done; a cancelled append still is, and what follows must wait for it.
        self._jobs: deque[_Job] = deque()
        self.release = weakref.finalize(self, os.close, descriptor)

    async def append(self, data: bytes) -> None:
        await self._queue(data)

    async def close(self) -> None:
        await self._queue(None)

    def _queue(self, data: bytes | None) -> asyncio.Future[None]:
        job = _Job(self, self._descriptor, data, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._submit()
        return job.done

    def _submit(self) -> None:
        """Submit the first job, or refuse it when the file is of no use any more."""
        while self._jobs:
            job = self._jobs[0]
            if self._usable or job.data is None:
                self._usable = self._usable and job.data is not None
                self._commit.submit(job)
                return
            self._jobs.popleft()
            if not job.done.done():
                job.done.set_exception(Unavailable(f"{self._path}: closed, or an earlier append failed"))

    def finished(self, job: _Job) -> None:
        """The first job has been done, or has failed."""
        self._jobs.popleft()
        self._usable = self._usable and job.error is None
        if job.done.done():
            pass  # the caller was cancelled
        elif job.error is None:
            job.done.set_result(None)
        else:
            error = disk_error(self._path, job.error)
            error.__cause__ = job.error
            job.done.set_exception(error)
        self._submit()
