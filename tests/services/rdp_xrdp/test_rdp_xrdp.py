"""The built-in host: started with the first desktop, supervised, and harmless where it cannot run."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from lucid.base.errors import NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.drivers.disk.folder import DiskFolder
from lucid.ports.desktops import XrdpHost
from lucid.ports.machine import DesktopMachine
from lucid.ports.service import Ports
from lucid.ports.stores import Folder
from lucid.services.rdp_xrdp.app import create
from lucid.services.rdp_xrdp.service import SESMAN, XRDP, BuiltInHost
from lucid.services.rdp_xrdp.settings import RdpXrdpSettings
from tests.clocks import TurnedClock
from tests.services.rdp_xrdp.xrdp_kit import FakeMachine
from tests.waiting import until

SETTINGS = RdpXrdpSettings(
    rdp_port=13390, health_s=0.01, health_failures=2, restart_s=0.01, restart_limit_s=0.05, start_limit_s=1.0
)
USER, PASSWORD = "lucid-ada-1", Secret("never-in-a-file")


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


def host_on(machine: FakeMachine, folder: Path, **changed: Any) -> BuiltInHost:
    return BuiltInHost(
        SETTINGS.model_copy(update=changed),
        machine=cast(DesktopMachine, machine),
        folder=DiskFolder(folder),
        clock=TurnedClock(),
    )


@pytest.fixture
async def host(machine: FakeMachine, tmp_path: Path) -> AsyncIterator[BuiltInHost]:
    host = host_on(machine, tmp_path)
    await host.start()
    yield host
    await host.stop()
    await host.check()


async def test_nothing_is_started_before_the_first_desktop(host: BuiltInHost, machine: FakeMachine) -> None:
    assert machine.launched == []
    with pytest.raises(Unavailable, match="does not run"):
        await host.endpoint()
    await host.create_user(user=USER, password=PASSWORD)
    assert [program for program, _ in machine.launched] == [SESMAN, XRDP]
    place = await host.endpoint()
    assert (place.address, place.port, len(place.fingerprint)) == ("127.0.0.1", 13390, 64)
    status = await host.status()
    assert (status.xrdp, status.sesman, status.restarts) == (True, True, 0)


@pytest.mark.parametrize("autostart", [True, False])
async def test_it_starts_at_once_for_desktops_of_an_earlier_run(
    machine: FakeMachine, tmp_path: Path, autostart: bool
) -> None:
    if not autostart:
        machine.homes[USER] = 1
    host = host_on(machine, tmp_path, autostart=autostart)
    await host.start()
    await until(lambda: len(machine.launched) == 2)
    await host.stop()


async def test_where_xrdp_cannot_run_it_says_why_and_does_nothing(machine: FakeMachine, tmp_path: Path) -> None:
    machine.obstacle_text = "xrdp is not installed"
    host = host_on(machine, tmp_path, autostart=True)
    await host.start()
    await host.check()
    status = await host.status()
    assert (status.available, status.reason) == (False, "xrdp is not installed")
    assert await host.desktops() == []
    for call in (
        host.create_user(user=USER, password=PASSWORD),
        host.remove_user(user=USER),
        host.stop_session(user=USER),
        host.reset_user(user=USER),
    ):
        with pytest.raises(Unavailable, match="xrdp is not installed"):
            await call
    await host.stop()
    assert machine.launched == []


async def test_accounts_follow_the_calls(host: BuiltInHost, machine: FakeMachine) -> None:
    await host.create_user(user=USER, password=PASSWORD)
    await host.create_user(user=USER, password=Secret("another"))
    assert machine.passwords == {USER: Secret("another")}
    assert machine.homes == {USER: 1}
    machine.running.add(USER)
    (desktop,) = await host.desktops()
    assert (desktop.user, desktop.running, desktop.cpu_s, desktop.memory_bytes) == (USER, True, 1.5, 1000)
    assert (await host.status()).sessions == 1
    assert await host.stop_session(user=USER)
    assert not await host.stop_session(user=USER)
    await host.reset_user(user=USER)
    assert machine.homes == {USER: 2}
    await host.remove_user(user=USER)
    assert machine.homes == {}
    for call in (host.stop_session(user=USER), host.reset_user(user=USER)):
        with pytest.raises(NotFound):
            await call


async def test_a_killed_xrdp_is_started_again_and_desktops_go_on(host: BuiltInHost, machine: FakeMachine) -> None:
    await host.create_user(user=USER, password=PASSWORD)
    machine.running.add(USER)
    cast(Any, machine.running_program(XRDP)).kill()
    await until(lambda: len(machine.launched) == 3 and host._healthy(XRDP))
    assert machine.launched[2][0] == XRDP
    assert machine.running == {USER}
    assert (await host.status()).restarts == 1


async def test_desktops_of_a_killed_sesman_are_ended(host: BuiltInHost, machine: FakeMachine) -> None:
    await host.create_user(user=USER, password=PASSWORD)
    machine.running.add(USER)
    cast(Any, machine.running_program(SESMAN)).kill()
    await until(lambda: len(machine.launched) == 3 and host._healthy(SESMAN))
    assert machine.running == set()


async def test_a_program_that_no_longer_answers_is_started_again(host: BuiltInHost, machine: FakeMachine) -> None:
    await host.create_user(user=USER, password=PASSWORD)
    before = machine.running_program(XRDP)
    assert before is not None
    machine.deaf.add(XRDP)
    await until(before.ended.done)
    assert not (await host.status()).xrdp
    machine.deaf.clear()
    await until(lambda: host._healthy(XRDP))


async def test_a_program_that_does_not_start_is_tried_later_and_later(machine: FakeMachine, tmp_path: Path) -> None:
    machine.refuse.add(XRDP)
    host = host_on(machine, tmp_path, start_limit_s=0.1)
    with capture_logs() as logs, pytest.raises(Unavailable, match="xrdp does not accept connections within"):
        await host.create_user(user=USER, password=PASSWORD)
    tries = [entry for entry in logs if entry["event"] == "program does not start"]
    assert 2 <= len(tries) <= 5
    machine.refuse.clear()
    await host.create_user(user=USER, password=PASSWORD)
    await host.stop()


async def test_a_program_that_never_answers_says_its_last_words(machine: FakeMachine, tmp_path: Path) -> None:
    machine.deaf.add(SESMAN)
    host = host_on(machine, tmp_path, start_limit_s=0.1)
    with pytest.raises(Unavailable, match="it says: I am 1"):
        await host.create_user(user=USER, password=PASSWORD)
    await host.stop()


async def test_a_program_that_hangs_at_its_start_is_started_again(machine: FakeMachine, tmp_path: Path) -> None:
    machine.deaf.add(XRDP)
    host = host_on(machine, tmp_path, start_limit_s=0.05)
    with pytest.raises(Unavailable):
        await host.create_user(user=USER, password=PASSWORD)
    await until(lambda: sum(program == XRDP for program, _ in machine.launched) >= 2)
    await host.stop()


async def test_stopping_ends_programs_and_desktops(machine: FakeMachine, tmp_path: Path) -> None:
    host = host_on(machine, tmp_path)
    await host.create_user(user=USER, password=PASSWORD)
    machine.running.add(USER)
    await host.stop()
    assert machine.running == set()
    assert all(child.ended.done() for _, child in machine.launched)
    assert machine.cleared


async def test_the_certificate_stays_the_same(machine: FakeMachine, tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        host = host_on(machine, tmp_path)
        await host.create_user(user=USER, password=PASSWORD)
        seen.add((await host.endpoint()).fingerprint)
        await host.stop()
    assert len(seen) == 1


async def test_the_settings_of_xrdp_let_desktops_in_alone(host: BuiltInHost, machine: FakeMachine) -> None:
    await host.create_user(user=USER, password=PASSWORD)
    xrdp, sesman = machine.files["xrdp.ini"][0], machine.files["sesman.ini"][0]
    for line in ("port=tcp://127.0.0.1:13390", "security_layer=tls", "autorun=Xorg"):
        assert line in xrdp.splitlines()
    assert xrdp.count("lib=") == 1, "no session that leads elsewhere"
    for line in ("AllowRootLogin=false", f"TerminalServerUsers={SETTINGS.group}", "AlwaysGroupCheck=true"):
        assert line in sesman.splitlines()
    assert "ListenPort=4711" in sesman.splitlines()
    assert machine.files["tls.pem"][1] == 0o600
    assert machine.files["startwm.sh"][1] == 0o755
    assert PASSWORD.reveal() not in str(machine.files)


async def test_the_app_is_ready_wherever_it_runs(machine: FakeMachine, tmp_path: Path) -> None:
    machine.obstacle_text = "creating Unix accounts takes root"
    app = create(SETTINGS, Ports({DesktopMachine: machine, Folder: DiskFolder(tmp_path)}))
    await app.start()
    for check in app.checks.values():
        await check()
    assert not (await cast(XrdpHost, app.provides[XrdpHost]).status()).available
    await app.stop()
