"""Real Unix accounts: what is made, what is removed, and what is never touched; what a killed service leaves."""

import asyncio
import os
import pwd
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import Conflict, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.drivers.disk.folder import DiskFolder
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.xrdp import accounts
from lucid.drivers.xrdp.machine import XrdpMachine
from lucid.services.rdp_xrdp.service import BuiltInHost
from lucid.services.rdp_xrdp.settings import RdpXrdpSettings
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="accounts on Linux take root")

SKELETON = Path("/etc/skel")
PASSWORD = Secret("a long password, nowhere else")


@pytest.fixture
def group() -> Iterator[str]:
    name = f"lucid-t{secrets.token_hex(3)}"
    yield name
    for user in accounts.members(name):
        accounts.remove(name, user)
    subprocess.run(["groupdel", name], capture_output=True, check=False)


@pytest.fixture
def user() -> str:
    return f"lucid-u{secrets.token_hex(3)}"


def test_an_account_and_its_home_are_made_and_removed(group: str, user: str) -> None:
    home = Path("/home", user)
    for _ in range(2):
        accounts.create(group, user, home, SKELETON)
    accounts.set_password(group, user, PASSWORD)
    entry = pwd.getpwnam(user)
    assert (stat.S_IMODE(home.stat().st_mode), home.stat().st_uid) == (0o700, entry.pw_uid)
    assert {path.name for path in home.iterdir()} == {path.name for path in SKELETON.iterdir()}
    assert all(path.lstat().st_uid == entry.pw_uid for path in home.rglob("*"))
    left = Path(f"/tmp/{user}.txt")
    left.write_text("mine")
    os.chown(left, entry.pw_uid, entry.pw_gid)
    for _ in range(2):
        accounts.remove(group, user)
    assert not home.exists()
    assert not left.exists()
    assert accounts.members(group) == []


def test_a_fresh_home_has_nothing_of_the_old_one(group: str, user: str) -> None:
    home = Path("/home", user)
    accounts.create(group, user, home, SKELETON)
    (home / "notes").write_text("mine")
    (home / "link").symlink_to("/etc/passwd")
    accounts.renew_home(group, user, SKELETON)
    assert {path.name for path in home.iterdir()} == {path.name for path in SKELETON.iterdir()}
    assert Path("/etc/passwd").stat().st_uid == 0


def test_a_home_that_is_there_is_given_to_the_account_without_following_links(group: str, user: str) -> None:
    home = Path("/home", user)
    (home / "folder").mkdir(parents=True)
    (home / "folder" / "link").symlink_to("/etc/hostname")
    owner = Path("/etc/hostname").stat().st_uid
    accounts.create(group, user, home, SKELETON)
    uid = pwd.getpwnam(user).pw_uid
    assert {path.lstat().st_uid for path in (home, *home.rglob("*"))} == {uid}
    assert Path("/etc/hostname").stat().st_uid == owner


def test_accounts_of_others_are_not_touched(group: str) -> None:
    accounts.make_group(group)
    for call in (
        lambda: accounts.set_password(group, "root", PASSWORD),
        lambda: accounts.end_processes(group, "root"),
        lambda: accounts.renew_home(group, "root", SKELETON),
    ):
        with pytest.raises(NotFound):
            call()
    accounts.remove(group, "root")
    assert pwd.getpwnam("root").pw_uid == 0
    with pytest.raises(Conflict):
        accounts.create(group, "root", Path("/root"), SKELETON)


def test_all_processes_of_an_account_end_also_those_that_do_not_want_to(group: str, user: str) -> None:
    accounts.create(group, user, Path("/home", user), SKELETON)
    assert not accounts.end_processes(group, user)
    stubborn = ["sh", "-c", "trap '' TERM HUP; while :; do sleep 60; done"]
    with subprocess.Popen(stubborn, user=user, start_new_session=True) as process:
        (use,) = accounts.uses(group)
        assert (use.user, use.processes > 0, use.memory_bytes > 0) == (user, True, True)
        assert accounts.end_processes(group, user)
        assert not psutil.pid_exists(process.pid)


RUN_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from lucid.base.secret import Secret
from tests.real.test_desktop_accounts import built_in_host, see_desktop
async def main():
    group, user, folder = sys.argv[1:]
    host = built_in_host(group, Path(folder))
    await host.create_user(user=user, password=Secret("a long password, nowhere else"))
    async with await see_desktop(host, user):
        print("shown", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def built_in_host(group: str, folder: Path) -> BuiltInHost:
    settings = RdpXrdpSettings(rdp_port=0, group=group, health_s=0.3)
    return BuiltInHost(settings, machine=XrdpMachine(), folder=DiskFolder(folder), clock=SystemClock())


async def see_desktop(host: BuiltInHost, user: str) -> RdpClient:
    place = await host.endpoint()
    client = await RdpClient.connect(
        place.address, place.port, username=user, password=PASSWORD, fingerprint=place.fingerprint
    )
    async with asyncio.timeout(15):
        await client.wait_received(50_000)
    return client


@pytest.fixture
async def killed(group: str, user: str, tmp_path: Path) -> None:
    """A service was killed while somebody looked at the desktop `user`."""
    arguments = ("-c", RUN_AND_WAIT, group, user, str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=Path.cwd()
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while b"shown" not in await process.stdout.readline():
            assert process.returncode is None
        other = built_in_host(group, tmp_path / "other")
        with pytest.raises(Unavailable, match="another installation"):
            await other.create_user(user=user, password=PASSWORD)
        process.kill()
        await process.communicate()


async def test_what_a_killed_service_leaves_is_ended_not_adopted(
    group: str, user: str, tmp_path: Path, killed: None
) -> None:
    assert "Xorg" in names_of(user)
    host = built_in_host(group, tmp_path)
    await host.start()

    async def started() -> bool:
        return (await host.status()).xrdp

    await until(started, within_s=15)
    assert names_of(user) == set()
    async with await see_desktop(host, user):
        assert "Xorg" in names_of(user)
    await host.stop()
    assert not any(f"/run/{group}/xrdp.ini" in (one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]))


def names_of(user: str) -> set[str]:
    uid = pwd.getpwnam(user).pw_uid
    return {
        process.name()
        for process in psutil.process_iter(["name", "uids", "status"])
        if process.info["uids"].real == uid and process.info["status"] != psutil.STATUS_ZOMBIE
    }
