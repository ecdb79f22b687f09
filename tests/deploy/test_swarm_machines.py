"""What a Swarm's machines get before the stack: networks by a script, against an engine of our own making, and folders
of logs."""

import os
import subprocess
from pathlib import Path

import pytest

from lucid.deploy.catalog import Catalog
from lucid.deploy.machines import FOLDERS, NETWORKS, movable

ENGINE = """\
#!/bin/sh
# network inspect --format F NAME, and network create NAME --driver overlay [--opt encrypted] --subnet S ...
folder=$(dirname "$0")
if [ "$2" = inspect ]; then cat "$folder/$5" 2>/dev/null; exit; fi
echo "$@" >> "$folder/calls"
"""


def run(files: dict[str, str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    engine, script = folder / "docker", folder / "networks.sh"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    script.write_text(files[NETWORKS])
    told = {**os.environ, "DOCKER": str(engine), **environment}
    return subprocess.run(["sh", script], env=told, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("told", "encrypted"), [({}, True), ({"LUCID_SWARM_ENCRYPTED": "false"}, False)])
def test_networks_are_encrypted_unless_told_otherwise(
    files: dict[str, str], tmp_path: Path, told: dict[str, str], encrypted: bool
) -> None:
    assert run(files, tmp_path, **told).returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    option = " --opt encrypted" if encrypted else ""
    assert calls == [
        f"network create lucid-pi-network --driver overlay{option} --subnet 172.20.0.0/16 --attachable",
        f"network create lucid-tron-isolated --driver overlay{option} --subnet 172.21.0.0/16 --attachable --internal",
    ]


def test_a_network_that_is_not_encrypted_is_not_taken_for_one_that_is(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lucid-pi-network").write_text("172.20.0.0/16 false overlay\n")
    (tmp_path / "lucid-tron-isolated").write_text("172.21.0.0/16 true overlay encrypted\n")
    done = run(files, tmp_path)
    assert done.returncode == 1
    assert 'to be "172.20.0.0/16 false overlay encrypted", found "172.20.0.0/16 false overlay"' in done.stderr
    assert done.stdout == "lucid-tron-isolated: is there\n"
    assert not (tmp_path / "calls").exists()


def test_folders_are_those_of_what_may_move(files: dict[str, str], catalog: Catalog) -> None:
    named = files[FOLDERS].partition("for name in")[2].partition("do\n")[0].replace("\\", " ").split()
    assert named == [service.name for service in movable(catalog)]
    assert {service.container.user for service in movable(catalog)} == {"65532:65532"}
