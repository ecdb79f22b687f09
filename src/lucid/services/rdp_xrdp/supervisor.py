"""Keeps one program running: starts it again when it ends or no longer answers, later and later while that fails."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from lucid.base.errors import LucidError, Unavailable
from lucid.ports.machine import Child

_STARTING_S = 0.1

_log = structlog.get_logger()


class Supervisor:
    """One program. `launch` starts it, `listens` says whether it accepts connections, `ended` is awaited each time
    after it has ended, before it is started again."""

    def __init__(
        self,
        name: str,
        *,
        launch: Callable[[], Awaitable[Child]],
        listens: Callable[[], Awaitable[bool]],
        ended: Callable[[], Awaitable[None]],
        start_limit_s: float,
        health_s: float,
        health_failures: int,
        first_wait_s: float,
        longest_wait_s: float,
    ) -> None:
        self._name = name
        self._launch = launch
        self._listens = listens
        self._ended = ended
        self._start_limit_s = start_limit_s
        self._health_s = health_s
        self._health_failures = health_failures
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._child: Child | None = None
        self._last_words = ""
        self.restarts = 0
        self.healthy = False

    @property
    def pid(self) -> int | None:
        """Process id of the program, while it runs."""
        return self._child.pid if self._child is not None else None

    @property
    def last_words(self) -> str:
        """What it printed last, in this run or the one before."""
        return (self._child.last_words if self._child is not None else "") or self._last_words

    async def run(self) -> None:
        """Supervise until cancelled; the program and its group are gone then."""
        wait_s = self._first_wait_s
        while True:
            if await self._run_once():
                wait_s = self._first_wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, self._longest_wait_s)
            self.restarts += 1

    async def _run_once(self) -> bool:
        """One run of the program; whether it ever accepted connections."""
        answered = False
        try:
            self._child = child = await self._launch()
            try:
                answered = await self._watch(child)
            finally:
                self.healthy = False
                await child.end()
                self._last_words, self._child = child.last_words or self._last_words, None
            await self._ended()
        except LucidError as error:
            _log.error("program does not start", program=self._name, detail=error.detail)
        return answered

    async def _watch(self, child: Child) -> bool:
        """Return when the child has ended, or does not answer (any more); whether it ever did."""
        answered, failures = False, 0
        clock = asyncio.get_running_loop().time
        start_deadline = clock() + self._start_limit_s
        ending = asyncio.ensure_future(child.wait())
        try:
            while True:
                self.healthy = not ending.done() and await self._listens()
                answered = answered or self.healthy
                failures = 0 if self.healthy else failures + 1
                if failures >= self._health_failures if answered else clock() > start_deadline:
                    _log.warning("program does not answer", program=self._name, pid=child.pid)
                    return answered
                # Until it answers for the first time, somebody waits for it.
                pause_s = self._health_s if answered else min(_STARTING_S, self._health_s)
                done, _ = await asyncio.wait([ending], timeout=pause_s)
                if done:
                    status, words = ending.result(), child.last_words
                    _log.warning("program ended", program=self._name, status=status, last_words=words)
                    return answered
        finally:
            ending.cancel()

    async def wait_healthy(self, limit_s: float) -> None:
        """Return once it accepts connections. Raises Unavailable with its last words after `limit_s`."""
        deadline = asyncio.get_running_loop().time() + limit_s
        while not self.healthy:
            if asyncio.get_running_loop().time() > deadline:
                words = f"; it says: {self.last_words}" if self.last_words else ""
                raise Unavailable(f"{self._name} does not accept connections within {limit_s:g} s{words}")
            await asyncio.sleep(_STARTING_S / 2)
