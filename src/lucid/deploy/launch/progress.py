"""What a bring-up says while it goes on: values, which the command line shows as a table, lines or JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lucid.deploy.launch.condition import Condition


@dataclass(frozen=True)
class Step:
    """Something begins or was done, in a sentence."""

    text: str


@dataclass(frozen=True)
class PhaseBegun:
    """The containers of a phase are started."""

    number: int
    title: str
    containers: tuple[str, ...]


@dataclass(frozen=True)
class PhaseSeen:
    """How the containers of a phase are now; said when it changed. `seconds` since it began."""

    number: int
    conditions: Mapping[str, Condition]
    seconds: float


@dataclass(frozen=True)
class PhaseReady:
    """All of a phase are healthy. `changed`: those that were started."""

    number: int
    seconds: float
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A phase that did not get healthy: the container that is to blame, where one is, and why; how it is, what its
    probe wrote, and the last lines of its log."""

    number: int
    why: str
    container: str = ""
    condition: Condition | None = None
    log: tuple[str, ...] = field(default=())

    @property
    def reason(self) -> str:
        """In one line."""
        return f"{self.container}: {self.why}" if self.container else self.why


Event: TypeAlias = Step | PhaseBegun | PhaseSeen | PhaseReady | Failure
Show: TypeAlias = Callable[[Event], None]
