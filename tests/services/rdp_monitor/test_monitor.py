"""Figures of sessions, synthetic connections, alarms, metrics and routes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from lucid.base.errors import Conflict, NotFound, Unavailable
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.host import Host, HostCredentials
from lucid.ports.access import Gateway, Hosts, LiveSession
from lucid.ports.desktops import Desktop, Desktops, DesktopState, Prober, ProbeResult, XrdpDesktop, XrdpHost, XrdpStatus
from lucid.ports.monitor import Monitor
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Documents
from lucid.services.rdp_monitor.app import create
from lucid.services.rdp_monitor.probing import ACCOUNT
from lucid.services.rdp_monitor.service import RdpMonitor
from lucid.services.rdp_monitor.settings import RdpMonitorSettings
from tests.asking import asking, person
from tests.clocks import TurnedClock

TIME = "2026-11-22T21:42:00.000000Z"
SETTINGS = RdpMonitorSettings(probe_history=3, alarm_after=2, max_series=2)
OFFICE = Host(name="office", address="192.0.2.7", fingerprint="1" * 64, added=TIME)
DESKTOP = Desktop(name="ada-1", owner="ada", account="lucid-ada-1", state=DesktopState.RUNNING, created=TIME)
PLACE = Host(name="built-in", address="127.0.0.1", port=13390, fingerprint="5" * 64, added=TIME)


class World:
    """All that the monitor looks at, in one object."""

    def __init__(self) -> None:
        self.sessions: list[LiveSession] = []
        self.registered: list[Host] = [OFFICE]
        self.cpu_s = 10.0
        self.built_in = False
        self.down = False
        self.accounts: dict[str, Secret] = {}
        self.removed: list[str] = []
        self.probed: list[tuple[str, str]] = []
        self.answer = ProbeResult(host="x", time=TIME, tcp_ms=1, tls_ms=2, login_ms=3, first_frame_ms=40)
        self.published: list[tuple[str, str]] = []

    # Gateway.
    async def live(self) -> list[LiveSession]:
        if self.down:
            raise Unavailable("the gateway does not answer")
        return self.sessions

    # XrdpHost.
    async def status(self) -> XrdpStatus:
        return XrdpStatus(available=True, xrdp=self.built_in, sesman=self.built_in, sessions=1, restarts=2)

    async def endpoint(self) -> Host:
        return PLACE

    async def desktops(self) -> list[XrdpDesktop]:
        return [XrdpDesktop(user=DESKTOP.account, running=True, cpu_s=self.cpu_s, memory_bytes=5000)]

    async def create_user(self, *, user: str, password: Secret) -> None:
        self.accounts[user] = password

    async def remove_user(self, *, user: str) -> None:
        self.removed.append(user)

    # Prober.
    async def probe(self, *, host: Host, credentials: HostCredentials, limit_s: float = 20.0) -> ProbeResult:
        self.probed.append((host.name, credentials.username))
        return self.answer.model_copy(update={"host": host.name})

    # Bus.
    async def publish(self, topic: str, body: dict[str, Any]) -> str:
        self.published.append((topic, body["host"]))
        return "1"


class Registered:
    """Hosts."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def list(self) -> list[Host]:
        return [*self._world.registered, OFFICE.model_copy(update={"name": DESKTOP.name})]

    async def credentials(self, *, host: Host) -> HostCredentials:
        return HostCredentials(username=f"account-of-{host.name}", password=Secret("p"))


class Provisioned:
    """Desktops."""

    async def list(self, *, owner: str | None = None) -> list[Desktop]:
        return [DESKTOP]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def app(world: World, clock: TurnedClock, tmp_path: Path) -> AsyncIterator[App]:
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    bound: dict[type, Any] = {
        Gateway: world,
        XrdpHost: world,
        Prober: world,
        Bus: world,
        Hosts: Registered(world),
        Desktops: Provisioned(),
        Documents: documents,
    }
    yield create(SETTINGS, Ports(bound, clock))
    await documents.aclose()


@pytest.fixture
def monitor(app: App) -> RdpMonitor:
    return cast(RdpMonitor, app.provides[Monitor])


def live(host: str = "office", *, id: str | None = None, **figures: Any) -> LiveSession:
    base = {"client_bytes": 0, "host_bytes": 0, "idle_s": 1.0, "elapsed_s": 10.0, "client": "192.0.2.1"}
    return LiveSession(session=id or new_session_id(), user="ada", host=host, **(base | figures))


def metrics() -> str:
    return generate_latest().decode()


async def test_rates_are_of_the_last_interval(world: World, monitor: RdpMonitor, clock: TurnedClock) -> None:
    first = live(host_bytes=1000, client_bytes=100, client_rtt_ms=20.0)
    world.sessions = [first]
    await monitor.sample()
    (seen,) = await monitor.sessions()
    assert (seen.host_bytes_per_s, seen.client_bytes_per_s) == (100.0, 10.0)
    clock.advance(5)
    world.sessions = [first.model_copy(update={"host_bytes": 6000})]
    await monitor.sample()
    (seen,) = await monitor.sessions()
    assert (seen.host_bytes_per_s, seen.client_bytes_per_s, seen.client_rtt_ms) == (1000.0, 0.0, 20.0)
    assert (seen.cpu_cores, seen.memory_bytes) == (None, None)


async def test_a_desktop_s_session_has_cpu_and_memory(world: World, monitor: RdpMonitor, clock: TurnedClock) -> None:
    world.sessions = [live("ada-1")]
    await monitor.sample()
    clock.advance(4)
    world.cpu_s = 12.0
    await monitor.sample()
    (seen,) = await monitor.sessions()
    assert (seen.cpu_cores, seen.memory_bytes) == (0.5, 5000)
    clock.advance(4)
    world.cpu_s = 1.0
    await monitor.sample()
    assert (await monitor.sessions())[0].cpu_cores == 0.0


async def test_series_are_bounded_and_end_with_their_session(world: World, monitor: RdpMonitor) -> None:
    world.sessions = [live(host_bytes=1000, host_rtt_ms=2.5) for _ in range(3)]
    await monitor.sample()
    text = metrics()
    assert "lucid_rdp_sessions 3.0" in text
    assert 'lucid_rdp_bytes_per_second{source="host"} 300.0' in text
    assert text.count("lucid_rdp_session_idle_seconds{") == SETTINGS.max_series
    first = min(session.session for session in world.sessions)
    assert f'lucid_rdp_session_rtt_seconds{{peer="host",session="{first}"}} 0.0025' in text
    world.sessions = []
    await monitor.sample()
    assert "lucid_rdp_session_idle_seconds{" not in metrics()
    assert "lucid_builtin_host_restarts 2.0" in metrics()


async def test_outside_hosts_are_probed_with_their_account(world: World, monitor: RdpMonitor) -> None:
    await monitor._round()
    assert world.probed == [("office", "account-of-office")]
    (seen,) = await monitor.hosts()
    assert (seen.host, seen.reachable, seen.failures) == ("office", True, 0)
    assert 'lucid_host_probe_seconds{host="office",step="first_frame"} 0.04' in metrics()


async def test_the_built_in_host_is_probed_with_an_account_of_its_own(world: World, monitor: RdpMonitor) -> None:
    world.built_in = True
    result = await monitor.probe(host="built-in")
    assert result.first_frame_ms == 40
    assert (world.probed, list(world.accounts), world.removed) == ([("built-in", ACCOUNT)], [ACCOUNT], [ACCOUNT])
    with pytest.raises(NotFound):
        await monitor.probe(host="ada-1")


async def test_two_probes_of_the_built_in_host_do_not_disturb_each_other(
    world: World, monitor: RdpMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.built_in = True
    steps = list[str]()

    async def note(step: str) -> None:
        steps.append(step)
        await asyncio.sleep(0)

    monkeypatch.setattr(world, "create_user", lambda **_: note("created"))
    monkeypatch.setattr(world, "remove_user", lambda **_: note("removed"))
    await asyncio.gather(*(monitor.probe(host="built-in") for _ in range(2)))
    assert steps == ["created", "removed"] * 2


async def test_a_host_on_which_somebody_works_is_left_alone(world: World, monitor: RdpMonitor) -> None:
    world.sessions = [live("office")]
    await monitor._round()
    with pytest.raises(Conflict):
        await monitor.probe(host="office")
    assert world.probed == []


async def test_credentials_go_to_a_known_certificate_alone(world: World, monitor: RdpMonitor) -> None:
    world.registered = [OFFICE.model_copy(update={"fingerprint": ""})]
    result = await monitor.probe(host="office")
    assert "no certificate is pinned" in result.error
    assert world.probed == []


async def test_an_alarm_is_raised_once_and_ends(world: World, monitor: RdpMonitor) -> None:
    good = world.answer
    bad = ProbeResult(host="x", time=TIME, tcp_ms=1, error="no answer")
    with capture_logs() as logs:
        for answer in (good, bad, bad, bad, good):
            world.answer = answer
            await monitor.probe(host="office")
    assert world.published == [("host.unreachable", "office"), ("host.reachable", "office")]
    assert [entry["event"] for entry in logs] == ["host.unreachable", "host.reachable"]
    history = await monitor.history(host="office")
    assert [result.first_frame_ms for result in history] == [None, None, 40]


async def test_a_host_that_is_removed_is_forgotten(world: World, monitor: RdpMonitor) -> None:
    await monitor._round()
    world.registered = []
    await monitor._round()
    assert await monitor.hosts() == []
    with pytest.raises(NotFound):
        await monitor.history(host="office")


async def test_what_does_not_answer_is_said_once(world: World, monitor: RdpMonitor) -> None:
    world.down = True
    with capture_logs() as logs:
        for down in (True, True, False):
            world.down = down
            await monitor._try("samples", monitor.sample)
    assert [entry["event"] for entry in logs] == ["monitoring does not work", "monitoring works again"]


async def test_the_service_samples_by_itself(app: App, world: World, monitor: RdpMonitor) -> None:
    world.sessions = [live()]
    await app.start()
    while not await monitor.sessions():  # noqa: ASYNC110 - a task of the service ends it
        await asyncio.sleep(0.001)
    for check in app.checks.values():
        await check()
    await app.stop()


async def test_the_routes(app: App, world: World, monitor: RdpMonitor) -> None:
    assert app.api is not None
    world.sessions = [live("elsewhere") for _ in range(3)]
    await monitor.sample()
    async with asking(app.api, person("dev", "developer")) as dev:
        first = (await dev.get("/api/v1/monitor/sessions", params={"limit": 2})).json()
        rest = (await dev.get("/api/v1/monitor/sessions", params={"after": first["next"]})).json()
        assert len(first["items"]) + len(rest["items"]) == 3
        assert (await dev.get("/api/v1/monitor/hosts")).json() == {"items": [], "next": None}
        assert (await dev.get("/api/v1/monitor/hosts/office")).status_code == 404
        assert (await dev.post("/api/v1/monitor/hosts/office/probe")).status_code == 403
    async with asking(app.api, person("root", "admin")) as root:
        assert (await root.post("/api/v1/monitor/hosts/office/probe")).json()["first_frame_ms"] == 40
        assert len((await root.get("/api/v1/monitor/hosts/office")).json()["items"]) == 1
    async with asking(app.api, person("ada")) as ada:
        assert (await ada.get("/api/v1/monitor/sessions")).status_code == 403
