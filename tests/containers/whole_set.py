"""The whole deployment on a real engine, brought up with the commands of its spec."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucid.base.secret import Secret
from lucid.catalog.networks import MASTER_FILE
from lucid.catalog.types import PI_NETWORK
from lucid.deploy.catalog import Catalog
from lucid.deploy.compose import command
from lucid.deploy.images.build import docker
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import init
from lucid.runtime.client import write_deployment
from lucid.runtime.paths import DataDir
from tests.containers.terminal import LUCID, Terminal

CATALOG = Catalog()
NAMES = tuple(piece.name for piece in CATALOG.pieces)


@dataclass(frozen=True)
class WholeSet(Terminal):
    """A deployment in a folder of the test."""

    place: Place
    data: DataDir
    administrator_password: Secret

    @classmethod
    def prepared(cls, folder: Path) -> "WholeSet":
        """Folders, keys, passwords and images; nothing runs yet."""
        place = Place(folder / "deploy", folder / "deploy-identity", folder / "run")
        own = {
            "LUCID_DATA_ROOT": str(folder / "data"),
            "LUCID_LOGS_ROOT": str(folder / "logs"),
            "LUCID_SECRETS_DIR": str(place.secrets),
            "LUCID_PUBLIC_KEYS_DIR": str(folder / "public-keys"),
            "LUCID_PUBLIC_ADDRESS": "127.0.0.1",
        }
        password = init(place, CATALOG, own)
        assert password is not None
        environment = cls.exported(folder / "bin", **own)
        data = DataDir(folder / "data")
        made = cls(environment, place, data, password)
        made.lucid("images", "build", "--platform", environment["LUCID_PLATFORM"], "--stand-ins", limit_s=900)
        made.shell("sh configs/docker/networks.sh")
        write_deployment(
            data,
            docker=docker(),
            network=PI_NETWORK,
            keys_dir=place.secrets / "keys",
            public_keys_dir=Path(own["LUCID_PUBLIC_KEYS_DIR"]),
        )
        return made

    @property
    def secrets(self) -> Path:
        return self.place.secrets

    def bring_up(self) -> None:
        """Phase by phase, with the commands that the spec has."""
        for phase in CATALOG.phases:
            self.shell(command(CATALOG, phase.compose_file, phase.number))
            self.wait_healthy([piece.name for piece in CATALOG.of_phase(phase)])

    def bring_up_at_once(self) -> None:
        self.shell(command(CATALOG, MASTER_FILE, len(CATALOG.phases)))
        self.wait_healthy(NAMES)

    def verify(self) -> dict[str, list[tuple[str, str]]]:
        """What `lucid deploy verify` finds, by check."""
        done = self.run([LUCID, "deploy", "verify", "--json"], 120)
        assert done.returncode in (0, 1), done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        found = {check["check"]: check["failures"] for check in report["checks"] if not check["ok"]}
        assert (done.returncode == 0) == report["verified"] == (not found)
        return {name: [(each["where"], each["problem"]) for each in failures] for name, failures in found.items()}

    def inspect(self, name: str) -> dict[str, Any]:
        (document,) = json.loads(self.shell(f"docker inspect {shlex.quote(name)}"))
        return dict(document)
