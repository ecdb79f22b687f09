"""Every service of the catalog as a process of its own, as containers run it, on a data folder that they share."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from lucid.catalog.services import SERVICES
from lucid.drivers.redis.valkey import Valkey
from lucid.runtime.client import RemotePlatform, fixed
from lucid.runtime.keyring import Keyring
from lucid.runtime.paths import DataDir

READY_LIMIT_S = 180.0
_PORTS = range(20_000, 30_000)  # below those that Linux gives to connections (ip_local_port_range)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    found: list[int] = []
    with contextlib.ExitStack() as taken:
        for port in random.sample(_PORTS, len(_PORTS)):
            try:
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError("no free ports")


class Services:
    """The processes, by the name of their service. `environment` is added to each one's."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data = DataDir(folder / "data")
        self._log = folder / "log"
        ports = free_ports(len(SERVICES))
        self.urls = {service.name: f"http://127.0.0.1:{p}" for service, p in zip(SERVICES, ports, strict=True)}
        # Each is told where the registry is, and finds all others through it.
        registry = {"LUCID_CONSUL_URL": self.urls["service-mesh"]}
        own = {"LUCID_DATA_DIR": str(self.data.root), "LUCID_LOG_FORMAT": "json"}
        self._environment = {**os.environ, **registry, **own, **environment}
        self._processes: dict[str, Process] = {}

    async def start(self, *names: str) -> None:
        """Return when all of them are ready."""
        for name in names:
            with self._log.open("ab") as log:
                self._processes[name] = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "lucid.runtime", name),
                    env={**self._environment, "LUCID_HTTP_PORT": self.urls[name].rpartition(":")[2]},
                    stdout=log,
                    stderr=log,
                )
        async with asyncio.timeout(READY_LIMIT_S), httpx.AsyncClient(trust_env=False) as http:
            await asyncio.gather(*(self._ready(http, name) for name in names))

    async def _ready(self, http: httpx.AsyncClient, name: str) -> None:
        while True:
            process = self._processes[name]
            assert process.returncode is None, f"{name}: {self._log.read_text()[-2000:]}"
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{self.urls[name]}/ready")).is_success:
                    return
            await asyncio.sleep(0.05)

    async def kill(self, *names: str) -> None:
        for name in names:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                self._processes[name].kill()
        for name in names:
            await self._processes.pop(name).wait()

    async def stop(self) -> dict[str, int]:
        """End all that run with SIGTERM, in reverse order; their exit statuses."""
        statuses = {}
        for name in reversed(list(self._processes)):
            process = self._processes.pop(name)
            process.send_signal(signal.SIGTERM)
            statuses[name] = await process.wait()
        return statuses

    @contextlib.asynccontextmanager
    async def platform(self) -> AsyncIterator[RemotePlatform]:
        async with RemotePlatform(fixed(self.urls), Keyring.open(self.data.keys)) as remote:
            yield remote


@contextlib.asynccontextmanager
async def all_services(folder: Path, **environment: str) -> AsyncIterator[Services]:
    """Valkey and every service, running while in the context; those that still run then are killed."""
    valkey = Valkey(folder / "valkey")
    await valkey.start()
    redis_url = folder / "redis-url"
    redis_url.write_text(valkey.url.reveal())
    services = Services(
        folder,
        LUCID_REDIS_URL_FILE=str(redis_url),
        LUCID_RDP_CONTROLLER_RDP_PORT="0",
        LUCID_RDP_XRDP_RDP_PORT="0",
        LUCID_API_GATEWAY_PUBLIC_PORT="0",
        LUCID_BLOCKCHAIN_ENGINE_SLOT_MS="50",
        **environment,
    )
    services.data.create()
    try:
        await services.start(*services.urls)
        yield services
    finally:
        await services.kill(*services._processes)
        await valkey.stop()
