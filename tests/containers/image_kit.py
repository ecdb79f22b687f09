"""Images of this machine's own platform and containers of them, for tests against a real engine."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lucid.deploy.images.build import Workshop, docker
from lucid.deploy.images.platform import Naming, Platform, checkout

NAMING = Naming(prefix="lucid-test/")
HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init"),
    *("--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=16m,uid=65532,gid=65532,mode=0700"),
)


def image(name: str, platform: Platform) -> str:
    """Named apart from what a deployment on this machine uses."""
    return NAMING.image(name, platform)


def workshop(folder: Path) -> Workshop:
    """It builds from a copy of the sources, which nobody changes meanwhile."""
    root = checkout()
    for path in ("src/lucid", "requirements", "infrastructure"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / path, folder / path, ignore=ignored, dirs_exist_ok=True)
    return Workshop(naming=NAMING, root=folder)


def run(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([docker(), *argv], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def inspect(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(run("image", "inspect", name).stdout)
    return found[0]


def inside(name: str, *argv: str, options: Sequence[str] = HARDENED) -> subprocess.CompletedProcess[str]:
    """What a program of the image does, in a hardened container."""
    return run("run", "--rm", *options, "--entrypoint", argv[0], name, *argv[1:], check=False)


class Running:
    """A container with a password as a mounted file. Context manager."""

    def __init__(self, name: str, folder: Path, *, password: str, data: str) -> None:
        self._name = f"lucid-test-{uuid.uuid4().hex[:12]}"
        self._image = name
        secret, kept = folder / "secret", folder / "data"
        secret.write_text("s3cret of a test")
        kept.mkdir()
        for path in (secret, kept):
            os.chown(path, 65_532, 65_532)
        secret.chmod(0o400)
        mounts = (f"{secret}:/run/secrets/{password}:ro", f"{kept}:{data}")
        self._options = tuple(part for mount in mounts for part in ("--volume", mount))

    def __enter__(self) -> "Running":
        run("run", "--detach", "--name", self._name, *HARDENED, *self._options, self._image)
        return self

    def __exit__(self, *_: object) -> None:
        run("rm", "--force", "--volumes", self._name)

    @property
    def facts(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(run("inspect", self._name).stdout)
        return found[0]

    def wait_healthy(self, limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while (state := self.facts["State"])["Health"]["Status"] != "healthy":
            assert state["Running"], run("logs", self._name).stderr
            assert time.monotonic() < end, state["Health"]["Log"][-1:]
            time.sleep(0.2)

    def execute(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return run("exec", self._name, *argv, check=False)

    def processes(self) -> str:
        return run("top", self._name, "-eo", "pid,args").stdout
