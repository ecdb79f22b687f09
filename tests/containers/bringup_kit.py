"""A deployment of three tiny containers, for tests of bringing it up. As a program: an act and a folder, to
be killed meanwhile."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lucid.base.clock import SystemClock
from lucid.catalog.types import Container, Network, Password, Phase, Resources, Store
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.build import docker, local_platform
from lucid.deploy.launch.deployments import Deployments
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.phases import Rules
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import init, unlock
from lucid.deploy.launch.progress import Event
from lucid.ports.stores import Documents

NETWORK = Network("lucid-bringup-test", "172.30.99.0/24", "172.30.99.1", "a test")
PREFIX = "lucid-bringup-test/"
BASE = f"pickme/lucid-base:latest-{local_platform().arch}"
LIMIT_S = 20.0
TOKEN = Password("bringup-token", "of a test", given=True)

_PROGRAM = """
import os, signal, sys, time
how = os.environ.get("HOW", "well")
print("line one of", how, flush=True)
print("the last line of", how, flush=True)
if how == "ends":
    sys.exit(3)
if how == "slow":
    time.sleep(2)
if how != "never":
    open("/tmp/ready", "w").close()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
"""
_PROBE = "import os, sys; print('there is no /tmp/ready'); sys.exit(not os.path.exists('/tmp/ready'))"


def piece(name: str, phase: int, *passwords: Password) -> Store:
    """A container that is healthy as soon as it runs, unless its image says HOW else."""
    return Store(
        name=name,
        summary="a container of a test",
        phase=phase,
        port=1,
        embedded_port=1,
        provides=Documents,
        embedded="",
        networks=(NETWORK.name,),
        resources=Resources(memory_mib=64),
        container=Container(
            command=("-c", _PROGRAM), probe=("CMD", "/usr/bin/python3", "-c", _PROBE), passwords=passwords
        ),
    )


CATALOG = Catalog(
    services=(),
    stores=(piece("bringup-alpha", 1), piece("bringup-beta", 2, TOKEN), piece("bringup-gamma", 2)),
    networks=(NETWORK,),
    phases=(Phase(1, "foundation", "First"), Phase(2, "core", "Second")),
)
NAMES = tuple(one.name for one in CATALOG.pieces)


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run([docker(), *argv], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def inspect(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(run("container", "inspect", name))
    return found[0]


def ids() -> dict[str, str]:
    """The containers that there are, by name."""
    names = run("ps", "--all", "--filter", f"network={NETWORK.name}", "--format", "{{.Names}} {{.ID}}")
    return dict(sorted((line.split()[0], line.split()[1]) for line in names.splitlines()))


def images() -> dict[str, str]:
    """The image that each container runs."""
    return {name: inspect(name)["Image"] for name in NAMES}


def image(name: str, how: str) -> str:
    """Give the container's image name an image of its own that behaves so; returns its id."""
    made = run("create", BASE).strip()
    try:
        return run("commit", "--change", f"ENV HOW={how}", made, f"{PREFIX}{name}:test").strip()
    finally:
        run("rm", made)


@dataclass
class Site:
    """A deployment in a folder of the test, and what was said of it."""

    folder: Path
    said: list[Event] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place(self.folder / "deploy", self.folder / "identity", self.folder / "run")

    def prepare(self) -> None:
        """As `lucid deploy init` does."""
        folders = {"DATA_ROOT": "data", "LOGS_ROOT": "logs", "SECRETS_DIR": "run/secrets", "PUBLIC_KEYS_DIR": "public"}
        chosen = {f"LUCID_{name}": str(self.folder / folder) for name, folder in folders.items()}
        images = {"LUCID_IMAGE_PREFIX": PREFIX, "LUCID_IMAGE_TAG": "test", "LUCID_PLATFORM": local_platform().docker}
        init(self.place, CATALOG, chosen | images)

    def deployments(self, catalog: Catalog = CATALOG, *, limit_s: float = LIMIT_S) -> Deployments:
        async def opener(place: Place) -> None:
            unlock(place, catalog)

        return Deployments(
            engine=Engine(docker()),
            place=self.place,
            catalog=catalog,
            opener=opener,
            show=self.said.append,
            clock=SystemClock(),
            lucid="0.0.1",
            rules=Rules(limit_s=limit_s, poll_s=0.1),
        )

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]


def without(name: str) -> Catalog:
    return replace(CATALOG, stores=tuple(store for store in CATALOG.stores if store.name != name))


if __name__ == "__main__":
    there = Site(Path(sys.argv[2])).deployments()
    acts = {"up": there.up, "upgrade": lambda: there.up(anew=True), "rollback": there.rollback}
    asyncio.run(acts[sys.argv[1]]())
