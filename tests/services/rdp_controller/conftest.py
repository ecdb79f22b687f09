"""A gateway on real sockets and real TLS, with its ports in memory, in front of a replaying host."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import uvloop

from lucid.base.secret import Secret
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.host import ReplayHost
from lucid.drivers.rdp.recording import Recording
from lucid.model.policy import Policy
from lucid.services.rdp_controller.service import RdpGateway
from lucid.services.rdp_controller.settings import RdpControllerSettings
from tests.paintings import paintings
from tests.services.rdp_controller.gateway_fakes import (
    FakeBus,
    FakeFolder,
    FakeHosts,
    FakePipeline,
    FakeRecorder,
    FakeTickets,
    Log,
)

USERNAME, PASSWORD = "desk", "the-real-password-of-the-host"


@dataclass
class Bench:
    """A running gateway, its ports, and the host `demo` behind it."""

    settings: RdpControllerSettings
    gateway: RdpGateway
    tickets: FakeTickets
    hosts: FakeHosts
    pipeline: FakePipeline
    recorder: FakeRecorder
    bus: FakeBus
    folder: FakeFolder
    host: ReplayHost
    log: Log

    async def port(self) -> int:
        return (await self.gateway.endpoint()).port

    async def connect(self, ticket: str | None = None, *, policy: Policy | None = None, **options: Any) -> RdpClient:
        """A client that shows `ticket`, or a fresh one."""
        if ticket is None:
            ticket = self.tickets.issue(os.urandom(8).hex(), policy=policy)
        return await RdpClient.connect("127.0.0.1", await self.port(), token=ticket, **options)


@pytest.fixture(scope="session")
def host_certificate() -> bytes:
    return self_signed("desktop")


@pytest.fixture
def log() -> Iterator[Log]:
    with structlog.testing.capture_logs() as entries:
        yield cast(Log, entries)


MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def make_bench(host_certificate: bytes, log: Log) -> AsyncIterator[MakeBench]:
    """Starts a gateway with the given settings; `recording` and `at_end` are those of the host."""
    running: list[Bench] = []
    folder = FakeFolder()
    folder.files["tls.pem"] = host_certificate  # making a key takes a while; one test lets the gateway do it

    async def make(*, recording: Recording | None = None, at_end: str = "hold", **settings: Any) -> Bench:
        chosen = RdpControllerSettings(rdp_port=0, **settings)
        tickets, hosts, pipeline, recorder, bus = FakeTickets(), FakeHosts(), FakePipeline(), FakeRecorder(), FakeBus()
        host = ReplayHost(
            recording or paintings(20),
            tls=server_context(host_certificate),
            username=USERNAME,
            password=Secret(PASSWORD),
            at_end=at_end,  # type: ignore[arg-type]
        )
        await host.__aenter__()
        hosts.put("demo", host.port, username=USERNAME, password=Secret(PASSWORD))
        gateway = RdpGateway(
            chosen,
            tickets=tickets,  # type: ignore[arg-type]
            hosts=hosts,  # type: ignore[arg-type]
            pipeline=pipeline,  # type: ignore[arg-type]
            recorder=recorder,  # type: ignore[arg-type]
            bus=bus,  # type: ignore[arg-type]
            folder=folder,  # type: ignore[arg-type]
        )
        await gateway.start()
        bench = Bench(chosen, gateway, tickets, hosts, pipeline, recorder, bus, folder, host, log)
        running.append(bench)
        return bench

    yield make
    for bench in running:
        await bench.gateway.stop()
        await bench.host.__aexit__()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of this folder runs on both event loops: their TLS differs."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
