"""Deployment sets: all that one deployment ran with, kept so that exactly that can be started again."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, ValidationError

from lucid.base.clock import Time
from lucid.base.errors import Corrupted, NotFound
from lucid.base.value import Value
from lucid.deploy.launch.durable import sync_folder, write

ENVIRONMENT = "environment"
"""The folder of a set with its environment files, encrypted."""

KEPT = 5
"""Sets that have run and are kept, the current one among them."""

_ABOUT = "set.json"
_CURRENT = "current"
_NEW = ".new"


class State(StrEnum):
    """How far a set came. One that is `wanted` was begun, and its end is not known yet."""

    WANTED = "wanted"
    COMPLETE = "complete"
    FAILED = "failed"


class Image(Value):
    """The image of a container: what it is called in the configuration, what it is (its configuration's SHA-256, as
    the engine names images), and the digests under which registries have it."""

    name: str
    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    digests: tuple[str, ...] = ()

    @property
    def pinned(self) -> str:
        """A name that says which image it is, and that keeps the engine from removing it as nameless."""
        repository, colon, tag = self.name.rpartition(":")
        return f"{repository if colon and '/' not in tag else self.name}:set-{self.id[7:19]}"


class SetPhase(Value):
    """A phase as it was when the set was made."""

    number: int
    name: str
    title: str
    containers: tuple[str, ...]

    @property
    def files(self) -> tuple[str, str]:
        """The Compose files of the phase in the set's folder: as rendered, and what pins its images."""
        return f"docker-compose.{self.name}.yml", f"images.{self.name}.yml"


class DeploymentSet(Value):
    """What set.json says. `configuration` is the SHA-256 of all files of the set; `reason` why it failed."""

    number: int
    time: Time
    state: State
    lucid: str
    configuration: str
    phases: tuple[SetPhase, ...]
    images: dict[str, Image]
    reason: str = ""

    @property
    def containers(self) -> tuple[str, ...]:
        return tuple(name for phase in self.phases for name in phase.containers)


@dataclass(frozen=True)
class Content:
    """What a set is to hold: files by their path in its folder, phases, and images by container."""

    files: Mapping[str, bytes]
    phases: tuple[SetPhase, ...]
    images: Mapping[str, Image]

    @property
    def configuration(self) -> str:
        """One digest over all files; what differs in any byte or name has another."""
        whole = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            whole.update(f"{path}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        return f"sha256:{whole.hexdigest()}"


class Sets:
    """The folder with a folder a set. All changes are durable when a call returns, and whole at any moment."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, number: int) -> Path:
        return self._root / str(number)

    def all(self) -> list[DeploymentSet]:
        """By number. Raises Corrupted for one that cannot be read."""
        if not self._root.is_dir():
            return []
        return [self.get(number) for number in sorted(int(one.name) for one in self._root.iterdir() if _is_set(one))]

    def get(self, number: int) -> DeploymentSet:
        """Raises NotFound, Corrupted."""
        path = self.folder(number) / _ABOUT
        try:
            return DeploymentSet.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(f"there is no set {number}: `lucid deploy history` lists what there is") from None
        except ValidationError:
            raise Corrupted(f"{path}: not understood") from None

    def current(self) -> DeploymentSet | None:
        """The set that is to run, which has run before; None before the first was complete."""
        try:
            number = int((self._root / _CURRENT).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            raise Corrupted(f"{self._root / _CURRENT}: expected a number") from None
        return self.get(number)

    def before(self, number: int) -> DeploymentSet | None:
        """The newest set before that one that has run."""
        ran = [one for one in self.all() if one.state is State.COMPLETE and one.number < number]
        return ran[-1] if ran else None

    def create(self, content: Content, *, time: str, lucid: str) -> DeploymentSet:
        """A new set that is wanted. Its number was never used before."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._root.glob(f"{_NEW}*"):
            shutil.rmtree(left)
        made = DeploymentSet(
            # The newest set is never removed, so no number is given twice.
            number=1 + max((one.number for one in self.all()), default=0),
            time=time,
            state=State.WANTED,
            lucid=lucid,
            configuration=content.configuration,
            phases=content.phases,
            images=dict(content.images),
        )
        folder = self._root / f"{_NEW}-{made.number}"
        folder.mkdir(mode=0o700)
        for path, data in content.files.items():
            write(folder / path, data)
        write(folder / _ABOUT, _json(made))
        folder.rename(self.folder(made.number))
        sync_folder(self._root)
        return made

    def change(self, one: DeploymentSet, state: State, reason: str = "") -> DeploymentSet:
        """The set in another state."""
        changed = one.model_copy(update={"state": state, "reason": reason})
        write(self.folder(one.number) / _ABOUT, _json(changed))
        return changed

    def make_current(self, one: DeploymentSet) -> None:
        """From now on this is the set that is to run."""
        write(self._root / _CURRENT, f"{one.number}\n".encode())

    def retire(self) -> set[str]:
        """Remove the sets that are too old, and all that failed but the last; returns the image names that only they
        had."""
        every, current = self.all(), self.current()
        ran = [one for one in every if one.state is State.COMPLETE and one != current]
        failed = [one for one in every if one.state is State.FAILED]
        old = [*ran[: max(0, len(ran) - (KEPT - 1))], *failed[:-1]]
        for one in old:
            shutil.rmtree(self.folder(one.number))
        sync_folder(self._root)
        gone = {one.number for one in old}
        kept = _pinned(one for one in every if one.number not in gone)
        return _pinned(old) - kept


def _is_set(folder: Path) -> bool:
    return folder.name.isdecimal() and (folder / _ABOUT).exists()


def _pinned(sets: Iterable[DeploymentSet]) -> set[str]:
    return {image.pinned for one in sets for image in one.images.values()}


def _json(one: DeploymentSet) -> bytes:
    return one.model_dump_json(indent=2).encode() + b"\n"
