"""A shell in the folder of the sources, as an owner of a deployment would type into it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lucid.deploy.images.build import docker, local_platform
from lucid.deploy.images.platform import checkout

LUCID = str(Path(sys.executable).with_name("lucid"))


@dataclass(frozen=True)
class Terminal:
    """`environment` is what the shell exports: nothing of this test run, and what a deployment's variables are."""

    environment: Mapping[str, str]

    @staticmethod
    def exported(folder: Path, **variables: str) -> dict[str, str]:
        """An environment with this machine's images, these variables, and `docker-compose` on PATH."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LUCID_")}
        path = os.pathsep.join((str(_commands(folder)), inherited.get("PATH", "")))
        platform = local_platform()
        images = {"LUCID_IMAGE_TAG": f"latest-{platform.arch}", "LUCID_PLATFORM": platform.docker}
        return {**inherited, **images, **variables, "PATH": path}

    def shell(self, line: str, limit_s: float = 300.0) -> str:
        """What a line writes. It has to succeed."""
        return self._done(["bash", "-o", "pipefail", "-c", line], limit_s)

    def lucid(self, *arguments: str, limit_s: float = 120.0) -> str:
        return self._done([LUCID, *arguments], limit_s)

    def wait_healthy(self, names: Sequence[str], limit_s: float = 180.0) -> None:
        wait_for(lambda: set(names) <= set(self.healthy()), f"{', '.join(names)} healthy", limit_s)

    def healthy(self) -> list[str]:
        return self.shell("docker ps --filter health=healthy --format '{{.Names}}'").split()

    def remove(self, names: Sequence[str]) -> None:
        """Those containers that there are."""
        if there := [name for name in self.shell("docker ps --all --format '{{.Names}}'").split() if name in names]:
            self.shell(f"docker rm --force {' '.join(there)}")

    def _done(self, argv: Sequence[str], limit_s: float) -> str:
        done = self.run(argv, limit_s)
        assert done.returncode == 0, f"{argv[-1]}: {done.stderr[-2000:]}"
        return done.stdout

    def run(self, argv: Sequence[str], limit_s: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            argv, cwd=checkout(), env=self.environment, capture_output=True, text=True, timeout=limit_s, check=False
        )


def _commands(folder: Path) -> Path:
    """A folder for PATH in which `docker` is the one with Compose, and `docker-compose` is there under this name too:
    some distributions have it as a plugin alone."""
    folder.mkdir()
    for name, line in (("docker", docker()), ("docker-compose", f"{docker()} compose")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        script.chmod(0o755)
    return folder


def wait_for(is_so: Callable[[], bool], what: str, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end, f"not within {limit_s:g} s: {what}"
        time.sleep(0.3)
