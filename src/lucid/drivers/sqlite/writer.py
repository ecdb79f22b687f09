"""The one thread that writes to an SQLite file, committing everything that waits at once (group commit)."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from lucid.base.errors import Corrupted, LucidError, StorageFull, Unavailable

T = TypeVar("T")
BATCH = 500
"""Writes of one transaction at most, so that the first of them does not wait too long."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def translated(error: sqlite3.Error, path: object) -> LucidError:
    """The port's error for SQLite's (sqlite.org/rescode.html); the primary code is the low byte."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _DAMAGED:
        return Corrupted(f"the database {path} is damaged: {error}")
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(f"the database {path} cannot grow: {error}")
    return Unavailable(f"the database {path} does not answer: {error}")


@dataclass(frozen=True, slots=True)
class _Write:
    apply: Callable[[sqlite3.Connection], object]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Writer:
    """Runs writes in the order of their calls. A write is one statement, or several that may all be lost
    together; it raises a LucidError to refuse, which does not affect others in its transaction."""

    def __init__(self, connection: sqlite3.Connection, path: object) -> None:
        self._connection = connection
        self._path = path
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def run(self, apply: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `apply` once it is committed and on disk. Not to be called after close()."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Write(apply, future, loop))
        return cast(T, await future)

    def close(self) -> None:
        """Commit what waits, then end the thread and close the connection. Blocks."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._next_batch()
            if batch:
                self._commit(batch)
        self._connection.close()

    def _next_batch(self) -> tuple[list[_Write], bool]:
        """Everything that waits, at least one write; and whether close() was called behind it."""
        batch: list[_Write] = []
        while len(batch) < BATCH:
            try:
                write = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if write is None:
                return batch, True
            batch.append(write)
        return batch, False

    def _commit(self, batch: list[_Write]) -> None:
        outcomes: list[object] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes.extend(self._outcome(write) for write in batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):  # the next BEGIN fails then, and says why
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            outcomes = [translated(error, self._path)] * len(batch)
        for loop in {write.loop for write in batch}:
            answers = [(w.future, o) for w, o in zip(batch, outcomes, strict=True) if w.loop is loop]
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_answer, answers)

    def _outcome(self, write: _Write) -> object:
        try:
            return write.apply(self._connection)
        except sqlite3.Error:
            raise  # concerns the transaction
        except Exception as error:  # noqa: BLE001 - handed to its caller, as a call in a thread of its own would be
            return error


def _answer(answers: list[tuple[asyncio.Future[Any], object]]) -> None:
    for future, outcome in answers:
        if future.done():  # its caller was cancelled
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
