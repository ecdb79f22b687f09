"""Stores for the contract suites: real servers, started on free ports and ended with the tests."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lucid.drivers.redis.valkey import Valkey
from tests.contract.small_disk import SmallDisk, mount_small_disk


@contextlib.contextmanager
def mongodb_server(folder: Path, port: int) -> Iterator[str]:
    """A server that speaks MongoDB's wire protocol: secantusdb."""
    program = str(Path(sys.executable).with_name("secantusd-py"))
    options = ["--port", str(port), "--storage-path", str(folder / "data"), "--sync-on-commit", "--cache-size", "64M"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, *options], cwd=folder, stdout=log, stderr=log)
    try:
        # The client waits until the server answers.
        yield f"mongodb://127.0.0.1:{port}/?replicaSet=secantus&retryWrites=false"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with mongodb_server(tmp_path_factory.mktemp("secantus"), port) as uri:
        yield uri


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 2 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    with mount_small_disk(tmp_path / "small", mib=2) as disk:
        yield disk
