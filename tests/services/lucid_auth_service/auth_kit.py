"""What the tests of lucid-auth-service share."""

from pathlib import Path

from lucid.base.clock import shift_time


class TurnedClock:
    """A clock that stands still until it is turned, forward or back."""

    def __init__(self) -> None:
        self.time = "2026-11-22T21:42:00.000000Z"

    def now(self) -> str:
        return self.time

    def monotonic(self) -> float:
        raise AssertionError("tickets and pauses go by wall-clock times, which survive a restart")

    def turn(self, seconds: float) -> None:
        self.time = shift_time(self.time, seconds)


def bytes_below(folder: Path) -> bytes:
    """The contents of all files in `folder`."""
    return b"".join(path.read_bytes() for path in folder.iterdir())
