"""Ownership of background tasks: each task has an owner that awaits and cancels it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

_log = structlog.get_logger()
_begun: set[asyncio.Task[Any]] = set()  # the event loop itself holds tasks by weak references only


async def to_the_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await `coroutine`, which goes on to its end even if this call is cancelled: what it has begun to change would be
    left half done. A failure that nobody waits for any more is logged."""
    task = asyncio.ensure_future(coroutine)
    _begun.add(task)
    task.add_done_callback(_begun.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_log_failure)
        raise


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("failed after its caller had gone", task=task.get_name(), exc_info=error)


class Tasks:
    """Owns background tasks. A task that fails is logged and remembered for `check()`; `close()` cancels
    the rest and waits for them. Used by services in start() and stop()."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `coroutine` until it ends or the owner closes."""
        task = asyncio.create_task(coroutine, name=f"{self._owner}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            _log.error("task failed", owner=self._owner, task=task.get_name(), exc_info=error)

    def check(self) -> None:
        """Raise the first failure of a task since the last check, so that readiness shows it."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
