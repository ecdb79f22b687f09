"""What `lucid deploy verify` looks at, and what it finds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lucid.deploy.launch.expected import Expected

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """A container as it is. `inspected` is what `docker inspect` says of it; `inside` what the program in
    probes/container.py does, empty if it could not run; `shell` what became of running `sh` in it: the exit status,
    and what was said."""

    inspected: Document
    inside: Document = field(default_factory=dict)
    shell: tuple[int, str] = (0, "")


Look: TypeAlias = Callable[[Expected, Seen], Iterator[str]]
"""Says what is wrong; nothing when all is as it has to be."""


@dataclass(frozen=True)
class Check:
    """One thing that has to be so of every container."""

    name: str
    about: str
    look: Look


@dataclass(frozen=True)
class Failure:
    """Where something is not as it has to be: a container or a network, and what is wrong."""

    where: str
    problem: str


@dataclass(frozen=True)
class Result:
    """What came of one check: `looked` counts the containers, networks or attempts that it looked at."""

    name: str
    about: str
    looked: int
    failures: tuple[Failure, ...] = ()


def differs(what: str, wanted: object, found: object) -> Iterator[str]:
    """Says so, if it does."""
    if wanted != found:
        yield f"{what}: expected {shown(wanted)}, found {shown(found)}"


def shown(value: object) -> str:
    """A value for a person: nothing is a word, sets are in order."""
    if isinstance(value, set | frozenset):
        value = ", ".join(sorted(map(str, value)))
    return "nothing" if value in ("", None, (), []) else str(value)
