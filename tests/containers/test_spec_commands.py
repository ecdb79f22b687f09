"""Commands of the deployment's spec, to the letter, beside those of the phases (test_whole_set.py)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucid.catalog.networks import NETWORKS, TRON
from lucid.deploy.catalog import Catalog
from lucid.deploy.compose import command
from lucid.deploy.images.platform import checkout
from lucid.deploy.launch.checks_networks import declared
from tests.containers.terminal import Terminal

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="takes root and a container engine"),
    pytest.mark.timeout(600),
]

CREATE = "docker network create {0} --driver bridge --subnet 172.{1}.0.0/16 --gateway 172.{1}.0.1 --attachable"
CREATED = {
    "lucid-pi-network": 20,
    "lucid-tron-isolated": 21,
    "lucid-gui-network": 22,
    "lucid-distroless-production": 23,
    "lucid-distroless-dev": 24,
    "lucid-multi-stage-network": 25,
}
DISTROLESS = {
    "docker-compose --env-file configs/environment/.env.foundation "
    "-f configs/docker/distroless/distroless-config.yml up -d": (
        "lucid-base",
        "lucid-minimal-base",
        "lucid-arm64-base",
    ),
    "docker-compose --env-file configs/environment/.env.foundation "
    "-f configs/docker/distroless/distroless-runtime-config.yml up -d": (
        "distroless-runtime",
        "minimal-runtime",
        "arm64-runtime",
    ),
}
NETWORKS_SCRIPT = "sh configs/docker/networks.sh"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    made = Terminal(Terminal.exported(tmp_path_factory.mktemp("terminal") / "bin"))
    yield made
    made.remove([name for names in DISTROLESS.values() for name in names])


def test_networks(terminal: Terminal) -> None:
    """All are as declared but the isolated one, which `networks.sh` then refuses and makes anew when it is gone."""
    for name, number in CREATED.items():
        terminal.run(["docker", "network", "rm", name], 30)
        terminal.shell(CREATE.format(name, number))
    made = {each["Name"]: each for each in json.loads(terminal.shell("docker network inspect $(docker network ls -q)"))}
    wrong = {
        network.name: list(declared(network, made[network.name])) for network in NETWORKS if network.name in CREATED
    }
    assert {name for name, problems in wrong.items() if problems} == {TRON.name}
    assert "internal: expected True, found False" in wrong[TRON.name]
    refused = terminal.run(["bash", "-c", NETWORKS_SCRIPT], 60)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{TRON.name}: expected")
    terminal.shell(f"docker network rm {TRON.name} && {NETWORKS_SCRIPT}")
    (found,) = json.loads(terminal.shell(f"docker network inspect {TRON.name}"))
    assert list(declared(TRON, found)) == []


def test_a_phase_that_nothing_is_in_yet(terminal: Terminal) -> None:
    """The command of phase 4 succeeds, and there is no container more."""
    catalog = Catalog()
    (phase,) = (phase for phase in catalog.phases if not catalog.of_phase(phase))
    before = terminal.shell("docker ps --all --quiet")
    terminal.shell(command(catalog, phase.compose_file, phase.number))
    assert terminal.shell("docker ps --all --quiet") == before


def test_distroless_containers(terminal: Terminal) -> None:
    """The base image for this machine, and for arm64 under emulation."""
    subprocess.run([checkout() / "scripts/binfmt"], check=True)
    platforms = sorted({terminal.environment["LUCID_PLATFORM"], "linux/arm64"})
    named = ("--tag", "")  # by the platform
    terminal.lucid("images", "base", "--no-desktop", "--platform", ",".join(platforms), *named, limit_s=300)
    terminal.shell(NETWORKS_SCRIPT)
    for line in DISTROLESS:
        assert f"#   {line}\n" in Path(checkout(), line.split()[4]).read_text()
        terminal.shell(line)
    terminal.wait_healthy([name for names in DISTROLESS.values() for name in names])
