"""Waiting for a change of containers: the engine tells of one at once. That is sooner than looking again and again, and
takes one connection to a machine elsewhere instead of one a look."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from lucid.base.errors import Unavailable
from lucid.deploy.launch.engine import Command, Engine

_KINDS = ("start", "die", "destroy", "health_status")
_EVENTS = ("events", "--filter", "type=container", *(word for kind in _KINDS for word in ("--filter", f"event={kind}")))
_SHORT_S = 0.05
"""Containers change together: one look is enough for changes this close to each other."""

_log = structlog.get_logger()


class Changes:
    """That something changed since the last `clear`; made by `watching`."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def set(self) -> None:
        self._changed.set()

    def clear(self) -> None:
        self._changed.clear()

    async def wait(self, limit_s: float) -> None:
        """Until something changes, or `limit_s` has passed: an event may be missed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._changed.wait()
                await asyncio.sleep(_SHORT_S)


@contextlib.asynccontextmanager
async def watching(engine: Engine) -> AsyncIterator[Changes]:
    """The changes of the engine's containers while in the context. An engine that tells of none is looked at after the
    time limits alone."""
    changes = Changes()

    async def watch() -> None:
        try:
            async for _ in engine.lines(Command(_EVENTS)):
                changes.set()
        except Unavailable as error:
            _log.warning("the engine does not tell of changes", detail=error.detail)

    task = asyncio.create_task(watch(), name="changes of containers")
    try:
        yield changes
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
