"""What the tests of lucid-auth-service share."""

from pathlib import Path

from lucid.base.clock import shift_time
from lucid.base.secret import Secret
from lucid.ports.access import AuditEvent, Outcome
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings

SETTINGS = LucidAuthServiceSettings(account_seal_key=Secret("5a" * 32))


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


class Trail:
    """An audit trail in memory."""

    def __init__(self) -> None:
        self.seen: list[AuditEvent] = []

    async def record(self, *, event: AuditEvent) -> None:
        self.seen.append(event)

    async def events(
        self, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        return self.seen[:limit]

    @property
    def acts(self) -> list[str]:
        """What was done, in order; with the outcome where it was not done."""
        return [event.act if event.outcome is Outcome.DONE else f"{event.act} {event.outcome}" for event in self.seen]


class RevokedLogins:
    """Remembers whose logins were ended."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def revoke(self, user: str) -> None:
        self.users.append(user)
