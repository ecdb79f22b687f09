"""A clock that tests turn."""

from lucid.base.clock import shift_time


class TurnedClock:
    """Stands still until it is turned; wall-clock and monotonic time move together."""

    def __init__(self, now: str = "2026-11-22T21:42:00.000000Z") -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> str:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now = shift_time(self._now, seconds)
        self._monotonic += seconds
