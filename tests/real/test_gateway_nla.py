"""FreeRDP through the gateway to a real host that demands NLA, which the client itself never speaks."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import structlog

from lucid.base.secret import Secret
from lucid.model.session import EndReason
from lucid.services.rdp_controller.service import RdpGateway
from lucid.services.rdp_controller.settings import RdpControllerSettings
from tests.real.nla_host import PASSWORD, USERNAME, NlaHost, running_nla_host
from tests.real.rdp_client import Display, freerdp, running_display, screenshot
from tests.real.xrdp_host import child
from tests.services.rdp_controller.gateway_fakes import (
    FakeBus,
    FakeFolder,
    FakeHosts,
    FakePipeline,
    FakeRecorder,
    FakeTickets,
    Log,
    logged,
)
from tests.waiting import until

WIDTH, HEIGHT = 800, 600
TERMINAL_PIXELS = 100_000


@pytest.fixture
def nla_host(tmp_path: Path) -> Iterator[NlaHost]:
    """A display with a terminal, shown by the shadow server."""
    with (
        running_display(tmp_path, WIDTH, HEIGHT) as shown,
        child(["xterm", "-geometry", "100x40+0+0"], tmp_path / "xterm.out", shown.environment),
        running_nla_host(tmp_path, shown) as host,
    ):
        yield host


@asynccontextmanager
async def gateway_to(host: NlaHost, password: str) -> AsyncIterator[tuple[RdpGateway, FakeTickets, FakePipeline]]:
    tickets, hosts, pipeline = FakeTickets(), FakeHosts(), FakePipeline()
    hosts.put("demo", host.port, username=USERNAME, password=Secret(password))
    service = RdpGateway(
        RdpControllerSettings(rdp_port=0),
        tickets=tickets,  # type: ignore[arg-type]
        hosts=hosts,  # type: ignore[arg-type]
        pipeline=pipeline,  # type: ignore[arg-type]
        recorder=FakeRecorder(),  # type: ignore[arg-type]
        bus=FakeBus(),  # type: ignore[arg-type]
        folder=FakeFolder(),  # type: ignore[arg-type]
    )
    await service.start()
    try:
        yield service, tickets, pipeline
    finally:
        await service.stop()


def options(tickets: FakeTickets) -> tuple[str, str]:
    ticket = tickets.issue(secrets.token_urlsafe(32))
    return f"/size:{WIDTH}x{HEIGHT}", f"/load-balance-info:lucid={ticket}"


async def test_the_gateway_logs_in_for_a_client_without_credentials(
    nla_host: NlaHost, display: Display, client_folder: Path
) -> None:
    async with gateway_to(nla_host, PASSWORD) as (gateway, tickets, pipeline):
        port = (await gateway.endpoint()).port
        with freerdp(display, client_folder, port, *options(tickets)):

            async def terminal() -> bool:
                return await asyncio.to_thread(_white, display) >= TERMINAL_PIXELS

            await until(terminal, within_s=20)
        assert (await pipeline.last_end()).reason is EndReason.CLIENT_CLOSED


async def test_a_host_that_refuses_the_login(nla_host: NlaHost, display: Display, client_folder: Path) -> None:
    with structlog.testing.capture_logs() as log:
        async with gateway_to(nla_host, "another") as (gateway, tickets, pipeline):
            port = (await gateway.endpoint()).port
            with freerdp(display, client_folder, port, *options(tickets)) as client:
                await asyncio.to_thread(client.wait_end)
    assert logged(cast(Log, log), "connection refused")[0][0] == "host-login"
    assert not pipeline.opened


def _white(display: Display) -> int:
    return screenshot(display, WIDTH, HEIGHT).count(b"\xff\xff\xff")
