"""What lasts, WebSockets and answers without an end in sight, ends with the login that opened it."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lucid.base.clock import Clock, Time, shift_time
from lucid.model.principal import Principal
from lucid.ports.access import Revocation

_OPENING_S = 120.0
"""Longer than it takes from when a login is checked until what it opens is open."""


@dataclass(eq=False)
class _Stream:
    principal: Principal
    opened: Time
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def falls_under(self, revocation: Revocation) -> bool:
        """A revocation of all of a user's logins does not concern one that began later; had this one begun before an
        earlier revocation, it had not been let in."""
        who = self.principal
        if revocation.session:
            return revocation.session in (who.session, who.token)
        return revocation.user == who.user and revocation.time >= self.opened


class Streams:
    """Those that are open."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[_Stream] = set()
        self._lately: deque[tuple[float, Revocation]] = deque()

    @contextmanager
    def opened(self, principal: Principal | None, *, age_s: float) -> Iterator[asyncio.Event]:
        """The event is set when it has to end. What nobody logged in for does not. `age_s`: how long ago the request
        came; its login was checked then or later, and may have been revoked since."""
        if principal is None:
            yield asyncio.Event()
            return
        stream = _Stream(principal, shift_time(self._clock.now(), -age_s))
        if any(stream.falls_under(revocation) for _, revocation in self._lately):
            stream.ended.set()
        self._open.add(stream)
        try:
            yield stream.ended
        finally:
            self._open.discard(stream)

    def end(self, revocation: Revocation) -> None:
        """Twice is no error."""
        now = self._clock.monotonic()
        self._lately.append((now, revocation))
        while now - self._lately[0][0] > _OPENING_S:
            self._lately.popleft()
        for stream in self._open:
            if stream.falls_under(revocation):
                stream.ended.set()
