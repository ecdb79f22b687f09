"""Pools: which host of a group is taken next."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from lucid.base.clock import Clock
from lucid.base.errors import NotFound
from lucid.base.ids import SessionId
from lucid.model.host import Host
from lucid.model.permission import Role
from lucid.model.session import Session, SessionState
from lucid.ports.recording import Pipeline

_PAGE = 200


class Pools:
    """Takes the least loaded host, and of equally loaded ones that which was taken the longest ago. An assignment
    counts until a new session is seen on its host, or for `hold_s` seconds when none comes."""

    def __init__(self, *, pipeline: Pipeline, clock: Clock, hold_s: float) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._hold_s = hold_s
        self._one_at_a_time = asyncio.Lock()
        self._pending: dict[str, deque[float]] = defaultdict(deque)
        self._seen: set[SessionId] = set()
        self._turns: dict[str, int] = {}

    async def assign(self, hosts: Sequence[Host], pool: str, user: str | None, role: Role | None) -> Host:
        """One of the hosts in `pool` that admit the person. Raises NotFound."""
        candidates = [host for host in hosts if host.pool == pool and (user is None or host.access.admits(user, role))]
        if not candidates:
            raise NotFound(f"no host in the pool {pool}")
        async with self._one_at_a_time:
            loads = await self._loads()
            chosen = min(candidates, key=lambda host: (loads[host.name], self._turns.get(host.name, 0), host.name))
            self._turns[chosen.name] = max(self._turns.values(), default=0) + 1
            self._pending[chosen.name].append(self._clock.monotonic())
        return chosen

    async def loads(self) -> Counter[str]:
        """By host: the sessions that run, and the assignments whose session has not begun."""
        async with self._one_at_a_time:
            return await self._loads()

    async def _loads(self) -> Counter[str]:
        running = await self._running()
        for session in running:
            if session.id not in self._seen and self._pending[session.host]:
                self._pending[session.host].popleft()
        self._seen = {session.id for session in running}
        loads = Counter(session.host for session in running)
        oldest = self._clock.monotonic() - self._hold_s
        for name, pending in self._pending.items():
            while pending and pending[0] <= oldest:
                pending.popleft()
            loads[name] += len(pending)
        return loads

    async def _running(self) -> list[Session]:
        found: list[Session] = []
        for state in (SessionState.OPENING, SessionState.RECORDING):
            after = None
            while page := await self._pipeline.list(after=after, state=state, limit=_PAGE):
                found += page
                after = page[-1].id
        return found
