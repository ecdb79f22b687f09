"""How many requests a user, a token and an address may make, counted in Redis for all gateways together.

While Redis is away each gateway counts for itself: a door that turns everybody away with the limiter would make the
limiter the easiest thing to attack, and no limit at all would invite guessing passwords.
"""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import Unavailable
from lucid.base.tasks import Tasks
from lucid.ports.stores import Allowance, Bus, Hit
from lucid.services.api_gateway.leases import Leases

_AWAY_S = 1.0
"""How long Redis is left alone after it did not answer."""

_REMEMBERED = 10_000
_BATCH = 3000
"""Hits in one round trip, at most: Redis does nothing else meanwhile."""

_log = structlog.get_logger()


class Limits:
    """Counts hits. All requests that wait at the same time share one round trip, and who asks often needs none."""

    def __init__(self, bus: Bus, clock: Clock, *, timeout_s: float) -> None:
        self._bus = bus
        self._clock = clock
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[Sequence[Hit], asyncio.Future[list[Allowance]]]] = deque()
        self._counting = False
        self._leases = Leases(clock)
        self._local = LocalLimits(clock)
        self._away_until = 0.0
        self._said = False
        self._tasks = Tasks("limits")

    async def stop(self) -> None:
        await self._tasks.close()

    async def spend(self, hits: Sequence[Hit]) -> list[Allowance]:
        """Count the hits of one request. Never fails."""
        if self._clock.monotonic() < self._away_until:
            return self._local.hits(hits)
        if (allowances := self._leases.use(hits)) is not None:
            return allowances
        future: asyncio.Future[list[Allowance]] = asyncio.get_running_loop().create_future()
        self._waiting.append((hits, future))
        if not self._counting:
            self._counting = True
            self._tasks.spawn(self._count(), name="count")
        return await future

    async def _count(self) -> None:
        """Count what waits, and then what has come to wait meanwhile."""
        try:
            while self._waiting:
                batch, size = [], 0
                while self._waiting and size < _BATCH:
                    batch.append(self._waiting.popleft())
                    size += len(batch[-1][0])
                allowances = await self._answers([hit for hits, _ in batch for hit in hits])
                begin = 0
                for hits, future in batch:
                    if not future.done():
                        future.set_result(allowances[begin : begin + len(hits)])
                    begin += len(hits)
        finally:
            self._counting = False
            for _, future in self._waiting:
                future.cancel()
            self._waiting.clear()

    def _with_leases(self, hits: Sequence[Hit]) -> list[Hit]:
        """The last hit on a limit is the one that counts ahead, so that those of now come first."""
        last = {hit.key: number for number, hit in enumerate(hits)}
        return [
            replace(hit, spare=spare) if last[hit.key] == number and (spare := self._leases.wanted(hit)) else hit
            for number, hit in enumerate(hits)
        ]

    async def _answers(self, hits: Sequence[Hit]) -> list[Allowance]:
        asked = self._with_leases(hits)
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = await self._bus.hits(asked)
        except (Unavailable, TimeoutError) as error:
            self._away_until = self._clock.monotonic() + _AWAY_S
            if not self._said:
                _log.warning("limits are counted by each gateway alone", detail=str(error) or "Redis is too slow")
            self._said = True
            return self._local.hits(hits)
        if self._said:
            _log.info("limits are counted for all gateways together again")
        self._said = False
        return [self._leases.keep(hit, answer) for hit, answer in zip(asked, answers, strict=True)]


class LocalLimits:
    """The same limits in memory (generic cell rate algorithm), without knowing of other gateways."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._whole: dict[str, float] = {}
        """When each limit is whole again."""

    def hits(self, hits: Sequence[Hit]) -> list[Allowance]:
        return [self._hit(hit) for hit in hits]

    def _hit(self, hit: Hit) -> Allowance:
        now = self._clock.monotonic()
        step = hit.window_s / hit.limit
        whole = max(self._whole.get(hit.key, now), now)
        wait_s = whole + step - hit.window_s - now
        if wait_s > 1e-6:
            return Allowance(0, wait_s, whole - now)
        if len(self._whole) >= _REMEMBERED and hit.key not in self._whole:
            self._whole = {key: value for key, value in self._whole.items() if value > now}
            if len(self._whole) >= _REMEMBERED:
                self._whole.clear()
        whole += step
        left = math.floor((now + hit.window_s - whole) / step + 1e-6)
        spare = min(hit.spare, left)
        whole += spare * step
        self._whole[hit.key] = whole
        return Allowance(left - spare, 0.0, whole - now, spare)
