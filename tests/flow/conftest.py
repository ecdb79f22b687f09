"""A whole platform on a folder of the test, with ports that the system chooses, and a desktop to reach."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lucid.base.clock import SystemClock
from lucid.base.secret import Secret
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.host import AtEnd, ReplayHost
from lucid.drivers.rdp.recording import Recording
from lucid.model.host import Host, HostCredentials
from lucid.model.policy import Policy
from lucid.ports.access import Gateway, Hosts, Tickets
from lucid.runtime.export import PortSource
from lucid.runtime.platform import Platform
from lucid.runtime.settings import RuntimeSettings

USERNAME, PASSWORD = "desk", "the-real-password-of-the-host"
FAST_LOG = {"blockchain-engine": {"slot_ms": 50}}


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    settings = RuntimeSettings.load(data_dir=tmp_path / "data")
    async with Platform(settings, ephemeral=True, overrides=FAST_LOG) as running:
        yield running


@asynccontextmanager
async def desktop(
    platform: PortSource, recording: Recording, name: str = "office", *, at_end: AtEnd = "disconnect"
) -> AsyncIterator[ReplayHost]:
    """A desktop that replays `recording`, registered as the host `name`."""
    tls = server_context(self_signed("desktop"))
    async with ReplayHost(recording, tls=tls, username=USERNAME, password=Secret(PASSWORD), at_end=at_end) as host:
        entry = Host(name=name, address="127.0.0.1", port=host.port, added=SystemClock().now())
        credentials = HostCredentials(username=USERNAME, password=Secret(PASSWORD))
        await platform.port(Hosts).add(host=entry, credentials=credentials)
        yield host


async def connect(platform: PortSource, name: str = "office", policy: Policy | None = None) -> RdpClient:
    """A client with a fresh ticket, connected through the gateway."""
    endpoint = await platform.port(Gateway).endpoint()
    ticket = await platform.port(Tickets).issue(user="ann", host=name, policy=policy or Policy())
    return await RdpClient.connect(
        endpoint.address,
        endpoint.port,
        token=ticket.secret.reveal(),
        width=800,
        height=600,
        fingerprint=endpoint.fingerprint,
    )
