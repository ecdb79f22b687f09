"""Every rendered file before those who know: Compose itself, and compose-lint."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lucid.deploy.catalog import Catalog
from lucid.deploy.registry import render
from lucid.deploy.swarm import STACK

ROOT = Path(__file__).parents[2]
COMPOSE_FILES = sorted(path for path in render(Catalog()) if path.endswith(".yml") and path != STACK)
PHASE_FILES = [path for path in COMPOSE_FILES if path.startswith("configs/docker/docker-compose.")]


@pytest.mark.parametrize("path", COMPOSE_FILES)
def test_compose_accepts_it(docker: str, path: str) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LUCID_")}
    done = subprocess.run(
        [docker, "compose", "-f", path, "config", "-q"], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_accepts_the_environment_files(docker: str) -> None:
    environment = [f"--env-file={phase.environment_file}" for phase in Catalog().phases]
    for path in PHASE_FILES:
        done = subprocess.run(
            [docker, "compose", *environment, "-f", path, "config", "-q"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_compose_lint_finds_nothing_but_what_we_mean() -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("compose-lint"),
            "--strict-config",
            "--fail-on",
            "low",
            "--quiet",
            *COMPOSE_FILES,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing() -> None:
    files = [path for path in render(Catalog()) if Path(path).name.startswith("Dockerfile") and "ignore" not in path]
    assert len(files) > 4
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dclint_finds_nothing() -> None:
    done = subprocess.run(
        ["npx", "--yes", "dclint@3.1.0", "-r", "configs/docker"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
