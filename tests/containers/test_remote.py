"""`lucid deploy … --host ssh://…` on a real engine: init, preflight, up, status, down over a real sshd, of the three
containers of bringup_kit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lucid.deploy.images.build import local_platform
from tests.cli.running import LUCID
from tests.cli.ssh_server import ssh_server
from tests.containers.bringup_kit import BASE, NAMES, PREFIX, ids, image, inspect, run

pytestmark = pytest.mark.timeout(180)

_PROGRAM = f"""\
#!{sys.executable}
# The lucid of the other machine, whose catalog holds three containers.
from lucid.deploy import catalog
from tests.containers.bringup_kit import CATALOG
catalog.Catalog = lambda: CATALOG
from lucid.cli.app import app
app()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """That of the command here; nothing is deployed there."""
    run("image", "inspect", BASE)
    for name in NAMES:
        image(name, "well")
    program = tmp_path / "lucid"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    there = {
        "LUCID_DEPLOY_DIR": str(tmp_path / "there/deploy"),
        "LUCID_DEPLOY_IDENTITY": str(tmp_path / "there/identity"),
        "LUCID_RUN_DIR": str(tmp_path / "there/run"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with ssh_server(tmp_path, there) as server:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LUCID_")}
        yield {**kept, "LUCID_SSH": server.ssh, "LUCID_REMOTE_LUCID": str(program), "DOCKER_HOST": server.address}
    if left := [*ids().values()]:
        run("rm", "--force", *left)
    if tags := run("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={PREFIX}*").split():
        run("rmi", "--force", *tags)


def lucid(environment: dict[str, str], *words: str, status: int = 0) -> list[dict[str, Any]]:
    argv = [LUCID, "deploy", *words, "--json"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    if done.stdout.startswith("{\n"):
        return [json.loads(done.stdout)]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_deployment_on_another_machine(environment: dict[str, str]) -> None:
    settings = {"IMAGE_PREFIX": PREFIX, "IMAGE_TAG": "test", "PLATFORM": local_platform().docker}
    lucid(environment, "init", *(f"--set=LUCID_{name}={value}" for name, value in settings.items()))
    (fit,) = lucid(environment, "preflight")
    assert {check["name"]: check["state"] for check in fit["checks"]}["images"] == "ok"
    *steps, ended = lucid(environment, "up")
    assert "phase-ready" in [step["event"] for step in steps]
    assert (ended["well"], ended["set"], set(ended["changed"])) == (True, 1, set(NAMES))
    assert ended["log"].startswith("the log will be told of it later: ")
    (shown,) = lucid(environment, "status")
    assert {row["container"]: row["ready"] for row in shown["containers"]} == dict.fromkeys(NAMES, True)
    lucid(environment, "configure", "LUCID_BRINGUP_BETA_MEMORY=6m")
    assert lucid(environment, "up", "--timeout=5", status=1)[-1]["runs"] == 1
    assert inspect(NAMES[1])["HostConfig"]["Memory"] == 64 * 2**20
    assert lucid(environment, "down")[-1]["log"].endswith("the platform does not run")
    assert ids() == {}
