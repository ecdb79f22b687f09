"""Files that only grow (port AppendFile)."""

import asyncio
import os
import weakref
from collections import deque
from dataclasses import dataclass

from lucid.base.errors import Unavailable
from lucid.drivers.disk.durable import disk_error, threads, write_all


@dataclass(slots=True, eq=False)
class _Job:
    """An append, or with `parts` None closing the file."""

    parts: tuple[bytes | memoryview, ...] | None
    done: asyncio.Future[None]


class DiskAppendFile:
    """A file that only grows: O_APPEND, and fdatasync before an append returns. One event loop uses it."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._usable = True
        # The first is in a thread's hands; a cancelled append still is, and what follows must wait for it.
        self._jobs: deque[_Job] = deque()
        self._release = weakref.finalize(self, os.close, descriptor)

    async def append(self, *parts: bytes | memoryview) -> None:
        await self._queue(parts)

    async def close(self) -> None:
        await self._queue(None)

    def _queue(self, parts: tuple[bytes | memoryview, ...] | None) -> asyncio.Future[None]:
        job = _Job(parts, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._begin()
        return job.done

    def _begin(self) -> None:
        """Have the first job done, or refuse it when the file is of no use any more."""
        while self._jobs:
            job = self._jobs[0]
            if self._usable or job.parts is None:
                self._usable = self._usable and job.parts is not None
                running = asyncio.get_running_loop().run_in_executor(threads, self._do, job.parts)
                running.add_done_callback(self._finished)
                return
            self._jobs.popleft()
            if not job.done.done():
                job.done.set_exception(Unavailable(f"{self._path}: closed, or an earlier append failed"))

    def _do(self, parts: tuple[bytes | memoryview, ...] | None) -> OSError | None:
        """In a thread."""
        try:
            if parts is None:
                self._release()
            else:
                write_all(self._descriptor, *parts)
                os.fdatasync(self._descriptor)
        except OSError as error:
            return error
        return None

    def _finished(self, running: asyncio.Future[OSError | None]) -> None:
        """The first job has been done, or has failed."""
        if running.cancelled():  # the loop ends
            return
        job, cause = self._jobs.popleft(), running.result()
        self._usable = self._usable and cause is None
        if job.done.done():
            pass  # the caller was cancelled
        elif cause is None:
            job.done.set_result(None)
        else:
            error = disk_error(self._path, cause)
            error.__cause__ = cause
            job.done.set_exception(error)
        self._begin()
