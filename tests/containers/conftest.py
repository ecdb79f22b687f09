"""These tests share one engine with its fixed names, networks and ports: one run at a time, and nothing of a run that
was killed is in the way of the next."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucid.deploy.catalog import Catalog
from lucid.deploy.images.build import docker

NAMES = frozenset(piece.name for piece in Catalog().pieces)
# Nobody's deployment has its data where a machine deletes it.
TEMPORARY = (Path("/tmp"), Path("/var/tmp"), Path(tempfile.gettempdir()))


@pytest.fixture(scope="session", autouse=True)
def engine() -> Iterator[None]:
    """This machine's engine, for this run alone. Containers of a deployment in use are not touched: they fail it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        yield
        return
    with Path(tempfile.gettempdir(), "lucid-test-containers.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail("another run of these tests uses the engine; wait for its end")
        _clear()
        yield


def _clear() -> None:
    known = _docker("ps", "--all", "--quiet").split()
    there = json.loads(_docker("inspect", *known)) if known else []
    ours = [each for each in there if each["Name"].removeprefix("/") in NAMES]
    left = [each["Id"] for each in ours if _of_a_test(each)]
    if left:
        _docker("rm", "--force", *left)
    if in_use := sorted(each["Name"].removeprefix("/") for each in ours if each["Id"] not in left):
        pytest.fail(f"containers of these names are there already: {', '.join(in_use)}; remove them first")


def _of_a_test(container: dict[str, list[dict[str, str]]]) -> bool:
    """Has its folders where tests have them."""
    sources = [Path(mount["Source"]) for mount in container["Mounts"] if mount["Type"] == "bind"]
    return any(source.is_relative_to(folder) for source in sources for folder in TEMPORARY)


def _docker(*arguments: str) -> str:
    return subprocess.run([docker(), *arguments], capture_output=True, text=True, check=True).stdout
