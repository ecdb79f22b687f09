"""What was deployed when: the deployment's own history, and what the platform's log has yet to be told."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from lucid.base.clock import Time
from lucid.base.errors import LucidError
from lucid.base.value import Value
from lucid.deploy.launch.durable import append, write
from lucid.ports.access import AuditEvent

Tell = Callable[[AuditEvent], Awaitable[None]]
"""Records an event in the audit trail of the platform. Raises LucidError when that is not possible now."""


class Act(StrEnum):
    """What was done to a deployment."""

    COMPLETED = "deployment.completed"
    FAILED = "deployment.failed"
    ROLLED_BACK = "deployment.rolled-back"
    STOPPED = "deployment.stopped"


class Record(Value):
    """One deployment. `set` is what was to run, `runs` what runs since; 0: nothing."""

    time: Time
    act: Act
    set: int
    runs: int
    by: str
    lucid: str
    seconds: float
    changed: tuple[str, ...] = ()
    reason: str = ""


class History:
    """A file with a line a deployment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, record: Record) -> None:
        """Durable when it returns."""
        append(self._path, record.model_dump_json().encode())

    def all(self) -> list[Record]:
        """The oldest first. A line that a power loss cut off is left out."""
        return [record for line in _lines(self._path) if (record := _record(line)) is not None]


class Unsaid:
    """Events that the platform could not be told yet, since it did not run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: AuditEvent) -> None:
        """Durable when it returns."""
        append(self._path, event.model_dump_json().encode())

    def all(self) -> list[AuditEvent]:
        found = []
        for line in _lines(self._path):
            try:
                found.append(AuditEvent.model_validate_json(line))
            except ValidationError:
                continue  # cut off by a power loss: what it was to say is in the history
        return found

    async def say(self, tell: Tell) -> LucidError | None:
        """Tell all that can be told, in order; returns why the rest could not. What was told twice counts once."""
        waiting, problem = self.all(), None
        while waiting and problem is None:
            try:
                await tell(waiting[0])
            except LucidError as error:
                problem = error
            else:
                waiting.pop(0)
                write(self._path, b"".join(event.model_dump_json().encode() + b"\n" for event in waiting))
        return problem


def _lines(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines() if line] if path.exists() else []


def _record(line: bytes) -> Record | None:
    try:
        return Record.model_validate_json(line)
    except ValidationError:
        return None
