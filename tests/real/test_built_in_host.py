"""The whole way of a desktop on real xrdp: created, used through the gateway, killed under, stopped, reset, deleted."""

import asyncio
import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest

from lucid.base.errors import Forbidden, NotFound
from lucid.catalog.keys import METRICS_TOKEN
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.xrdp import accounts
from lucid.model.policy import Policy
from lucid.ports.access import Gateway, Hosts, Tickets
from lucid.ports.desktops import Desktops, DesktopState, XrdpHost
from lucid.ports.monitor import Monitor
from lucid.ports.recording import Pipeline
from lucid.runtime.keyring import Keyring
from lucid.runtime.platform import Platform
from lucid.runtime.settings import RuntimeSettings
from tests.real.rdp_client import Display, freerdp
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="accounts on Linux take root")

SHOWN_BYTES = 50_000
"""More than the handshake and an empty screen."""


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform whose desktops are in a group of their own, which is removed with them."""
    group = f"lucid-t{secrets.token_hex(3)}"
    overrides: dict[str, dict[str, Any]] = {
        "blockchain-engine": {"slot_ms": 50},
        "rdp-xrdp": {"group": group, "health_s": 0.3, "restart_s": 0.1},
        "rdp-server-manager": {"desktops_per_owner": 1},
        "rdp-monitor": {"sample_s": 0.2},
    }
    settings = RuntimeSettings.load(data_dir=tmp_path / "data")
    try:
        async with Platform(settings, ephemeral=True, overrides=overrides) as running:
            yield running
    finally:
        await asyncio.to_thread(clean_up, group)


def clean_up(group: str) -> None:
    for user in accounts.members(group):
        accounts.remove(group, user)
    subprocess.run(["groupdel", group], capture_output=True, check=False)


async def ticket_for(platform: Platform, name: str) -> str:
    return (await platform.port(Tickets).issue(user="ada", host=name, policy=Policy())).secret.reveal()


async def connect(platform: Platform, name: str) -> RdpClient:
    """A client with a fresh ticket that sees the desktop through the gateway."""
    endpoint = await platform.port(Gateway).endpoint()
    token = await ticket_for(platform, name)
    client = await RdpClient.connect(endpoint.address, endpoint.port, token=token, fingerprint=endpoint.fingerprint)
    async with asyncio.timeout(15):
        await client.wait_received(SHOWN_BYTES)
    return client


def program_of(platform: Platform, name: str) -> int:
    """The process id of the supervised program: the child of this process that runs it."""
    run = f"/run/{_group(platform)}/"
    for process in psutil.Process().children():
        if process.name() == name and any(argument.startswith(run) for argument in process.cmdline()):
            return process.pid
    raise LookupError(name)


def _group(platform: Platform) -> str:
    return cast(str, cast(Any, platform.port(XrdpHost))._settings.group)


async def test_nothing_runs_before_the_first_desktop(platform: Platform) -> None:
    status = await platform.port(XrdpHost).status()
    assert (status.available, status.xrdp, status.sesman) == (True, False, False)
    assert not [child for child in psutil.Process().children() if child.name().startswith("xrdp")]


async def test_a_desktop_from_its_creation_to_its_end(platform: Platform) -> None:
    desktops, pipeline = platform.port(Desktops), platform.port(Pipeline)
    desktop = await desktops.create(name="ada-1", owner="ada")
    home = Path(pwd.getpwnam(desktop.account).pw_dir)
    assert home.stat().st_mode & 0o777 == 0o700  # noqa: ASYNC240
    with pytest.raises(Forbidden):
        await desktops.create(name="ada-2", owner="ada")

    async with await connect(platform, "ada-1"):
        assert (await desktops.get(name="ada-1")).state is DesktopState.RUNNING
        (session,) = await pipeline.list(state="recording")

        async def measured() -> bool:
            figures = await platform.port(Monitor).sessions()
            return bool(figures and figures[0].memory_bytes and figures[0].cpu_cores is not None)

        await until(measured)
        (seen,) = await platform.port(Monitor).sessions()
        assert (seen.session, seen.user, seen.host) == (session.id, "ada", "ada-1")
        assert seen.client_rtt_ms
        assert seen.host_rtt_ms
        assert seen.memory_bytes
        assert seen.memory_bytes > 10_000_000
        metrics = await page_of_metrics(platform)
        assert f'lucid_rdp_session_memory_bytes{{session="{session.id}"}}' in metrics
        assert 'lucid_builtin_host_up{program="xrdp"} 1.0' in metrics
    (home / "notes.txt").write_text("mine")

    stopped = await desktops.stop(name="ada-1")
    assert stopped.state is DesktopState.STOPPED
    assert not processes_of(desktop.account)
    assert (home / "notes.txt").exists()

    await desktops.reset(name="ada-1")
    assert not (home / "notes.txt").exists()
    assert (home / ".profile").stat().st_uid == pwd.getpwnam(desktop.account).pw_uid
    async with await connect(platform, "ada-1"):
        pass

    await desktops.delete(name="ada-1")
    with pytest.raises(KeyError):
        pwd.getpwnam(desktop.account)
    assert not home.exists()  # noqa: ASYNC240
    with pytest.raises(NotFound):
        await platform.port(Hosts).get(name="ada-1")


def processes_of(user: str) -> set[str]:
    """Names of what runs under the account."""
    uid, found = pwd.getpwnam(user).pw_uid, set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.uids().real == uid and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.name())
    return found


async def page_of_metrics(platform: Platform) -> str:
    token = Keyring.open(platform.data.keys).private(METRICS_TOKEN).reveal()
    async with httpx.AsyncClient() as http:
        url = f"{platform.urls['rdp-monitor']}/metrics"
        return (await http.get(url, headers={"authorization": f"Bearer {token}"})).text


async def test_killed_programs_are_started_again(platform: Platform) -> None:
    """A session outlives xrdp, but not the session manager, which alone knows of it."""
    desktops, xrdp = platform.port(Desktops), platform.port(XrdpHost)
    desktop = await desktops.create(name="ada-1", owner="ada")

    async def healthy(restarts: int) -> bool:
        status = await xrdp.status()
        return status.xrdp and status.sesman and status.restarts == restarts

    async with await connect(platform, "ada-1") as client:
        os.kill(program_of(platform, "xrdp"), signal.SIGKILL)
        await asyncio.wait_for(client.wait_closed(), 10)
    await until(lambda: healthy(1))
    assert "Xorg" in processes_of(desktop.account)
    async with await connect(platform, "ada-1"):
        os.kill(program_of(platform, "xrdp-sesman"), signal.SIGKILL)
        await until(lambda: healthy(2))
    assert "Xorg" not in processes_of(desktop.account)
    async with await connect(platform, "ada-1"):
        assert (await desktops.get(name="ada-1")).state is DesktopState.RUNNING


async def test_freerdp_reaches_a_desktop(platform: Platform, display: Display, client_folder: Path) -> None:
    await platform.port(Desktops).create(name="ada-1", owner="ada")
    port = (await platform.port(Gateway).endpoint()).port
    ticket = await ticket_for(platform, "ada-1")
    with freerdp(display, client_folder, port, "/size:800x600", f"/load-balance-info:lucid={ticket}"):

        async def shown() -> bool:
            live = await platform.port(Gateway).live()
            return bool(live) and live[0].host_bytes > SHOWN_BYTES

        await until(shown)


async def test_a_probe_measures_to_the_first_frame_and_is_no_session(platform: Platform) -> None:
    await platform.port(Desktops).create(name="ada-1", owner="ada")
    monitor = platform.port(Monitor)
    result = await monitor.probe(host="built-in")
    assert result.error == ""
    assert result.tcp_ms is not None
    assert result.tls_ms is not None
    assert result.login_ms is not None
    assert result.first_frame_ms is not None
    assert 0 < result.tcp_ms < result.tls_ms < result.login_ms < result.first_frame_ms < 20_000
    assert await platform.port(Pipeline).list() == []
    assert "lucid-monitor" not in {entry.pw_name for entry in pwd.getpwall()}
    assert (await platform.port(Desktops).get(name="ada-1")).state is DesktopState.STOPPED
    assert 'lucid_host_up{host="built-in"} 1.0' in await page_of_metrics(platform)
    with pytest.raises(NotFound):
        await monitor.probe(host="ada-1")


async def test_everything_ends_with_the_platform(tmp_path: Path, platform: Platform) -> None:
    desktop = await platform.port(Desktops).create(name="ada-1", owner="ada")
    async with await connect(platform, "ada-1"):
        group = _group(platform)
        await platform.stop()
    assert not processes_of(desktop.account)
    assert not [child for child in psutil.Process().children(recursive=True) if child.name().startswith("xrdp")]
    assert not Path("/run", group).exists()  # noqa: ASYNC240
