"""FreeRDP through the gateway to a real xrdp: the picture, the recording, and where the password is not."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import structlog

from lucid.base.secret import Secret
from lucid.drivers.rdp.client import RdpClient
from lucid.model.frame import Direction
from lucid.model.session import EndReason
from lucid.services.rdp_controller.service import RdpGateway
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import UpdateReader
from tests.real.rdp_client import Display, freerdp, packet_dump, save_png, screenshot
from tests.real.xrdp_host import XrdpHost
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

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="xrdp runs on Linux")

WIDTH, HEIGHT = 800, 600
WHITE = b"\xff\xff\xff"
BLACK = b"\0\0\0"
TERMINAL_PIXELS = 50_000
UNDRAWN_PIXELS = 10_000
"""More black than the clock and a terminal full of text have; a band of the desktop that was not drawn has more."""
OUTPUT_PIXELS = 500
"""More black than a typed line has, less than a terminal full of numbers."""


@dataclass
class RealGateway:
    """A gateway in front of the real host, its ports in memory."""

    port: int
    tickets: FakeTickets
    hosts: FakeHosts
    pipeline: FakePipeline
    recorder: FakeRecorder
    log: Log

    def ticket(self) -> str:
        return self.tickets.issue(secrets.token_urlsafe(32))

    def recorded_screen(self) -> Screen:
        """What the host drew, decoded from the recording alone."""
        screen, reader = Screen(WIDTH, HEIGHT), UpdateReader()
        for frame in self.recorder.frames(self.pipeline.opened[-1]):
            if frame.direction is Direction.SERVER_TO_CLIENT:
                for update in reader.feed(frame.data):
                    screen.apply(update)
        return screen

    async def still(self, display: Display) -> None:
        """Return once the terminal is shown and nothing was recorded for a second."""
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(self._shows_terminal, display):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            seen = -1
            while (now := self._recorded_bytes()) != seen:
                seen = now
                await asyncio.sleep(1)

    @staticmethod
    def _shows_terminal(display: Display) -> bool:
        return screenshot(display, WIDTH, HEIGHT).count(WHITE) > TERMINAL_PIXELS

    def _recorded_bytes(self) -> int:
        return len(self.recorder.data.get(self.pipeline.opened[-1], b"")) if self.pipeline.opened else 0


@pytest.fixture
async def gateway(xrdp_host: XrdpHost) -> AsyncIterator[RealGateway]:
    tickets, hosts, pipeline, recorder = FakeTickets(), FakeHosts(), FakePipeline(), FakeRecorder()
    hosts.put("demo", xrdp_host.port, username=xrdp_host.username, password=Secret(xrdp_host.password))
    service = RdpGateway(
        RdpControllerSettings(rdp_port=0),
        tickets=tickets,  # type: ignore[arg-type]
        hosts=hosts,  # type: ignore[arg-type]
        pipeline=pipeline,  # type: ignore[arg-type]
        recorder=recorder,  # type: ignore[arg-type]
        bus=FakeBus(),  # type: ignore[arg-type]
        folder=FakeFolder(),  # type: ignore[arg-type]
    )
    with structlog.testing.capture_logs() as log:
        await service.start()
        endpoint = await service.endpoint()
        yield RealGateway(endpoint.port, tickets, hosts, pipeline, recorder, cast(Log, log))
        await service.stop()


async def compare(gateway: RealGateway, display: Display, folder: Path) -> None:
    """The recording's last picture is that of the client's window, pixel by pixel."""
    await gateway.still(display)
    recorded = await asyncio.to_thread(lambda: gateway.recorded_screen().rgb())
    shown = await asyncio.to_thread(screenshot, display, WIDTH, HEIGHT)
    save_png(shown, WIDTH, HEIGHT, folder / "shown.png")
    save_png(recorded, WIDTH, HEIGHT, folder / "recorded.png")
    different = sum(shown[i : i + 3] != recorded[i : i + 3] for i in range(0, len(shown), 3))
    assert different == 0, f"{different} pixels differ; see {folder}"
    assert shown.count(WHITE) > TERMINAL_PIXELS


async def test_the_recording_equals_the_client_s_screen(
    gateway: RealGateway, xrdp_host: XrdpHost, display: Display, client_folder: Path
) -> None:
    """With a ticket as routing token and bogus credentials; the password is nowhere on the client's side."""
    ticket = gateway.ticket()
    size = f"/size:{WIDTH}x{HEIGHT}"
    with (
        packet_dump(client_folder / "client.pcap", gateway.port) as dump,
        freerdp(display, client_folder, gateway.port, size, f"/load-balance-info:lucid={ticket}"),
    ):
        await compare(gateway, display, client_folder)
    assert (await gateway.pipeline.last_end()).reason is EndReason.CLIENT_CLOSED
    assert logged(gateway.log, "session ended")[0][0] == "client-closed"
    recorded = bytes(gateway.recorder.data[gateway.pipeline.opened[-1]])
    files = await asyncio.to_thread(read_all, client_folder)
    assert len(dump.read_bytes()) > 50_000
    for where, data in {**files, "recording": recorded, "log": str(gateway.log).encode()}.items():
        for form in ("utf-8", "utf-16-le"):
            assert xrdp_host.password.encode(form) not in data, f"the password is in the {where}"
    assert ticket.encode() not in recorded
    assert ticket not in str(gateway.log)


def read_all(folder: Path) -> dict[str, bytes]:
    """Every file in the folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


async def test_a_ticket_as_user_name_cookie_is_enough(
    gateway: RealGateway, display: Display, client_folder: Path
) -> None:
    """Clients without a routing token send the user name as cookie `mstshash`, cut to nine characters by some;
    FreeRDP sends it whole."""
    ticket = gateway.tickets.issue("t1ck3t")
    with freerdp(display, client_folder, gateway.port, f"/size:{WIDTH}x{HEIGHT}", f"/u:{ticket}"):
        await compare(gateway, display, client_folder)
    await gateway.pipeline.last_end()


async def black_text(client: RdpClient) -> int:
    """Black pixels of a desktop that is painted all over: what the host has not drawn yet is black as well."""
    while True:
        if client.screen is not None:
            rgb = client.screen.rgb()
            if rgb.count(WHITE) > TERMINAL_PIXELS and (black := rgb.count(BLACK)) < UNDRAWN_PIXELS:
                return black
        await asyncio.sleep(0.2)


async def test_keys_reach_the_terminal_and_the_recording(
    gateway: RealGateway, display: Display, client_folder: Path
) -> None:
    """What our own client types is executed on the host; the recording shows what that client was shown."""
    async with await RdpClient.connect(
        "127.0.0.1", gateway.port, token=gateway.ticket(), width=WIDTH, height=HEIGHT, draw=True
    ) as client:
        async with asyncio.timeout(30):
            before = await black_text(client)
            await client.click(200, 200)
            await client.type_text("seq 100 200\n")
            while await black_text(client) < before + OUTPUT_PIXELS:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            seen = -1
            while (now := client.bytes_received) != seen:
                seen = now
                await asyncio.sleep(0.5)
    assert (await gateway.pipeline.last_end()).reason is EndReason.CLIENT_CLOSED
    assert client.screen is not None
    assert client.screen.rgb() == await asyncio.to_thread(lambda: gateway.recorded_screen().rgb())


@pytest.mark.parametrize(
    ("spoil", "reason", "detail"),
    [
        (lambda tickets, ticket: tickets.used.add(ticket), "bad-ticket", "the ticket was used before"),
        (lambda tickets, ticket: tickets.expired.add(ticket), "bad-ticket", "the ticket has expired"),
        (lambda tickets, ticket: tickets.grants.pop(ticket), "bad-ticket", "no such ticket"),
    ],
    ids=["used", "expired", "forged"],
)
async def test_freerdp_with_a_bad_ticket_is_turned_away(
    gateway: RealGateway, display: Display, client_folder: Path, spoil: object, reason: str, detail: str
) -> None:
    ticket = gateway.ticket()
    spoil(gateway.tickets, ticket)  # type: ignore[operator]
    with freerdp(display, client_folder, gateway.port, f"/load-balance-info:lucid={ticket}") as client:
        await asyncio.to_thread(client.wait_end)
    assert client.process.returncode != 0
    assert logged(gateway.log, "connection refused")[0] == (reason, detail)
    assert gateway.pipeline.opened == []


async def test_freerdp_that_insists_on_nla_leaves(gateway: RealGateway, display: Display, client_folder: Path) -> None:
    """It offers TLS as well, so that only its leaving tells."""
    option = f"/load-balance-info:lucid={gateway.ticket()}"
    with freerdp(display, client_folder, gateway.port, option, "/sec:nla") as client:
        await asyncio.to_thread(client.wait_end)
    end = await gateway.pipeline.last_end()
    assert end.reason is EndReason.CLIENT_CLOSED
    assert end.detail.startswith("in the TLS handshake")
