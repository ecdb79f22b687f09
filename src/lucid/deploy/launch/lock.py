"""One command at a time changes a deployment."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lucid.base.errors import Unavailable

WAIT_S = 60.0
_LOOK_S = 0.2


@asynccontextmanager
async def locked(path: Path, *, wait_s: float = WAIT_S) -> AsyncIterator[int]:
    """Hold the lock of a deployment; yields its file. A command of the engine that is given the file keeps the lock
    after the one who started it was killed, so that nobody works beside it. Raises Unavailable when the lock is not
    free in time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _acquire(handle, path, wait_s)
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield handle
    finally:
        os.close(handle)


async def _acquire(handle: int, path: Path, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            while not _try(handle):  # noqa: ASYNC110 - another process lets go of it
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
        raise Unavailable(
            f"another command is at work on this deployment (process {holder or 'unknown'}, {path}): wait for its end"
        ) from None


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
