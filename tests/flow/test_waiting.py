"""A service alone whose store or registry comes later: it waits, says so, and goes on by itself."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.contract.conftest import mongodb_server
from tests.flow.apart import free_ports

LUCID = Path(sys.executable).with_name("lucid")
STOP_LIMIT_S = 10.0

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def serving(name: str, folder: Path, port: int, **environment: str) -> AsyncIterator[Process]:
    """`lucid serve NAME`, which has to end well when it is asked to."""
    process = await asyncio.create_subprocess_exec(
        *(LUCID, "serve", name, "--json"),
        env={**os.environ, "LUCID_DATA_DIR": str(folder), "LUCID_HTTP_PORT": str(port), **environment},
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), STOP_LIMIT_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: Process, text: str) -> list[str]:
    """What the process logged until a line with `text`, which is the last of these."""
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(60):
        while not lines or text not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
            assert lines[-1], f"it ended without saying {text!r}"
    return lines


async def ready(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(f"{url}/ready")


async def test_a_store_that_comes_later(tmp_path: Path) -> None:
    port, mongodb_port = free_ports(2)
    stores = tmp_path / "stores"
    stores.mkdir()
    uri = f"mongodb://127.0.0.1:{mongodb_port}/?replicaSet=secantus&retryWrites=false&serverSelectionTimeoutMS=500"
    async with serving("service-mesh", tmp_path / "data", port, LUCID_MONGODB_URI=uri) as process:
        await said(process, "waiting for a store")
        url = f"http://127.0.0.1:{port}"
        answer = await ready(url)
        assert (answer.status_code, answer.json()["detail"]) == (503, "service-mesh is starting")
        assert "retry-after" in answer.headers
        with mongodb_server(stores, mongodb_port):
            await said(process, "service started")
            assert (await ready(url)).status_code == 200


async def test_a_store_that_is_away_is_one_line_each_time(tmp_path: Path) -> None:
    """Not what the client says of every try beside it."""
    port, nobody = free_ports(2)
    environment = {
        "LUCID_ELASTICSEARCH_URL": f"http://127.0.0.1:{nobody}",
        "LUCID_REDIS_URL": f"redis://127.0.0.1:{nobody}",
        "LUCID_CONSUL_URL": f"http://127.0.0.1:{nobody}",
    }
    async with serving("session-api", tmp_path / "data", port, **environment) as process:
        await said(process, "waiting for a store")
        assert len(await said(process, "waiting for a store")) == 1


async def test_what_it_needs_comes_never(tmp_path: Path) -> None:
    """Asked to end while it still waits, it does."""
    port, nobody = free_ports(2)
    registry = f"http://127.0.0.1:{nobody}"
    environment = {"LUCID_CONSUL_URL": registry, "LUCID_BLOCKCHAIN_ENGINE_STORE_TIMEOUT_S": "1"}
    async with serving("blockchain-engine", tmp_path / "data", port, **environment) as process:
        await said(process, "waiting for what it needs")
        assert (await ready(f"http://127.0.0.1:{port}")).status_code == 503


async def test_a_command_prints_what_it_is_asked_for_alone(tmp_path: Path) -> None:
    """Not what it hears of the registry by the way, which is no JSON."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with serving("service-mesh", tmp_path, port) as process:
        await said(process, "service started")
        command = await asyncio.create_subprocess_exec(
            *(LUCID, "session", "ls", "--json"),
            env={**os.environ, "LUCID_DATA_DIR": str(tmp_path), "LUCID_CONSUL_URL": url},
            stdout=PIPE,
            stderr=PIPE,
        )
        stdout, stderr = await asyncio.wait_for(command.communicate(), 60)
    assert (stdout, stderr) == (b"", b"lucid: no instance of session-pipeline is healthy\n")
