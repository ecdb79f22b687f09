"""What lasts, WebSockets and answers without an end in sight, ends with the login that opened it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lucid.base.clock import Clock, Time
from lucid.model.principal import Principal
from lucid.ports.access import Revocation


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

    @contextmanager
    def opened(self, principal: Principal | None) -> Iterator[asyncio.Event]:
        """The event is set when it has to end. What nobody logged in for does not."""
        if principal is None:
            yield asyncio.Event()
            return
        stream = _Stream(principal, self._clock.now())
        self._open.add(stream)
        try:
            yield stream.ended
        finally:
            self._open.discard(stream)

    def end(self, revocation: Revocation) -> None:
        """Twice is no error."""
        for stream in self._open:
            if stream.falls_under(revocation):
                stream.ended.set()
