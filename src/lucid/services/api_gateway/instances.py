"""The healthy instances of a service, and which of them to ask."""

from collections.abc import Collection, Iterable

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import Unavailable
from lucid.ports.registry import Instance

_NOBODY_RETRY_S = 1.0
_log = structlog.get_logger()


class Target:
    """An instance with its circuit breaker: after `failures` in a row it is left alone for `open_s` seconds; then one
    request tries it, and its outcome closes the circuit or opens it again."""

    def __init__(self, instance: Instance, clock: Clock, *, failures: int, open_s: float) -> None:
        self.instance = instance
        self.url = instance.url
        self.running = 0
        self._clock = clock
        self._limit = failures
        self._open_s = open_s
        self._failures = 0
        self._closed_from = 0.0
        self._probing = False

    @property
    def wait_s(self) -> float:
        """Seconds until it may be asked; 0: now."""
        if self._failures < self._limit:
            return 0.0
        left = self._closed_from - self._clock.monotonic()
        return left if left > 0 else (self._open_s if self._probing else 0.0)

    def begin(self) -> None:
        """A request goes to it."""
        self.running += 1
        if self._failures >= self._limit:
            self._probing = True

    def end(self, *, answered: bool | None) -> None:
        """The request is over. `answered` None: it says nothing about the instance, as when the client went away."""
        self.running -= 1
        if answered:
            self._failures = 0
        elif answered is False:
            self._failures += 1
            if self._failures >= self._limit:
                self._closed_from = self._clock.monotonic() + self._open_s
                _log.warning("instance left alone", service=self.instance.service, id=self.instance.id)
        self._probing = False


class Pool:
    """The instances of one service."""

    def __init__(self, service: str, clock: Clock, *, failures: int, open_s: float) -> None:
        self.service = service
        self._clock = clock
        self._failures = failures
        self._open_s = open_s
        self._targets: dict[str, Target] = {}
        self._turn = 0

    def set(self, instances: Iterable[Instance]) -> list[Target]:
        """Take these as the healthy ones; returns those that are new. One that stays keeps its state."""
        old, self._targets, new = self._targets, {}, []
        for instance in instances:
            target = old.get(instance.id)
            if target is None or target.instance != instance:
                target = Target(instance, self._clock, failures=self._failures, open_s=self._open_s)
                new.append(target)
            self._targets[instance.id] = target
        return new

    def holds(self, target: Target) -> bool:
        """Whether it is still healthy."""
        return self._targets.get(target.instance.id) is target

    def choose(self, but: Collection[Target] = ()) -> Target:
        """The least busy one, in turn, without those in `but`. Raises Unavailable when there is none to ask."""
        targets = [target for target in self._targets.values() if target not in but]
        ready = [target for target in targets if not target.wait_s]
        if not ready:
            waits = [target.wait_s for target in targets]
            raise Unavailable(
                f"no instance of {self.service} answers", retry_after_s=min(waits, default=_NOBODY_RETRY_S)
            )
        self._turn += 1
        first = self._turn % len(ready)
        return min(ready[first:] + ready[:first], key=lambda target: target.running)
