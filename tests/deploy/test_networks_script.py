"""configs/docker/networks.sh against an engine of our own making: a shell script that remembers networks."""

import os
import subprocess
from pathlib import Path

import pytest

from lucid.catalog.networks import NETWORKS
from lucid.deploy.networks import SCRIPT, create

ENGINE = """\
#!/bin/sh
# network inspect --format F NAME, and network create NAME --driver bridge --subnet S ...
folder=$(dirname "$0")
if [ "$2" = inspect ]; then cat "$folder/$5" 2>/dev/null; exit; fi
internal=false
for word in "$@"; do [ "$word" = --internal ] && internal=true; done
echo "$7 $internal" > "$folder/$3"
echo "$@" >> "$folder/calls"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "docker"
    path.write_text(ENGINE)
    path.chmod(0o755)
    return path


def run(files: dict[str, str], engine: Path) -> subprocess.CompletedProcess[str]:
    script = engine.with_name("networks.sh")
    script.write_text(files[SCRIPT])
    return subprocess.run(
        ["sh", script], env={**os.environ, "DOCKER": str(engine)}, capture_output=True, text=True, check=False
    )


def test_makes_every_network_once(files: dict[str, str], engine: Path) -> None:
    first, again = run(files, engine), run(files, engine)
    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout.splitlines() == [f"{network.name}: made" for network in NETWORKS]
    assert again.stdout.splitlines() == [f"{network.name}: is there" for network in NETWORKS]
    calls = engine.with_name("calls").read_text().splitlines()
    assert calls == [" ".join(create(network)) for network in NETWORKS]


def test_a_network_that_differs_is_named_and_left_alone(files: dict[str, str], engine: Path) -> None:
    """As the spec's own command makes it, the network of the payment services would have a way out."""
    engine.with_name("lucid-tron-isolated").write_text("172.21.0.0/16 false\n")
    done = run(files, engine)
    assert done.returncode == 1
    assert 'lucid-tron-isolated: expected subnet and whether it is internal to be "172.21.0.0/16 true"' in done.stderr
    assert "lucid-base-net: made" in done.stdout, "the others are made all the same"
    assert "lucid-tron-isolated" not in engine.with_name("calls").read_text()


def test_only_the_payment_network_is_isolated() -> None:
    assert [network.name for network in NETWORKS if "--internal" in create(network)] == ["lucid-tron-isolated"]
