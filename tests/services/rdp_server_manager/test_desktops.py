"""Desktops: provisioned, stopped, reset and deleted; quotas; what a crash or a failing host leaves is carried on."""

import asyncio

import pytest

from lucid.base.errors import Conflict, Forbidden, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.model.host import Host, HostCredentials
from lucid.ports.desktops import DesktopState
from lucid.services.rdp_server_manager.records import DESKTOPS
from tests.services.rdp_server_manager.manager_kit import PLACE, TIME, Kit
from tests.waiting import until_not


async def test_a_desktop_is_an_account_and_a_host_of_its_owner(kit: Kit) -> None:
    desktop = await kit.manager.desktops.create(name="ada.1", owner="ada", actor="root")
    assert (desktop.name, desktop.owner, desktop.state) == ("ada.1", "ada", DesktopState.STOPPED)
    assert desktop.account.startswith("lucid-ada-1-")
    host = await kit.manager.hosts.get(name="ada.1")
    assert (host.address, host.port, host.fingerprint) == (PLACE.address, PLACE.port, PLACE.fingerprint)
    assert (host.access.users, host.access.roles) == (("ada",), ())
    credentials = await kit.manager.hosts.credentials(host=host)
    assert credentials.username == desktop.account
    assert credentials.password == kit.xrdp.passwords[desktop.account]
    assert ("desktop.created", "root") in kit.trail.acts()
    assert ("host.added", {"host": "ada.1", "actor": "root"}) in kit.anchored.taken
    assert credentials.password.reveal() not in str(kit.trail.events) + str(kit.anchored.taken)


async def test_the_state_is_that_of_the_built_in_host(kit: Kit) -> None:
    desktops = kit.manager.desktops
    desktop = await desktops.create(name="ada-1", owner="ada")
    kit.xrdp.running.add(desktop.account)
    assert [(one.name, one.state) for one in await desktops.list()] == [("ada-1", DesktopState.RUNNING)]
    assert (await desktops.stop(name="ada-1")).state is DesktopState.STOPPED
    assert (await desktops.get(name="ada-1")).state is DesktopState.STOPPED
    assert await desktops.list(owner="bob") == []


async def test_a_reset_renews_the_home_alone(kit: Kit) -> None:
    desktop = await kit.manager.desktops.create(name="ada-1", owner="ada")
    before = kit.xrdp.passwords[desktop.account]
    await kit.manager.desktops.reset(name="ada-1", actor="ada")
    assert kit.xrdp.homes[desktop.account] == 2
    assert kit.xrdp.passwords[desktop.account] == before
    assert kit.trail.acts()[-1] == ("desktop.reset", "ada")


async def test_a_deleted_desktop_leaves_nothing(kit: Kit) -> None:
    await kit.manager.desktops.create(name="ada-1", owner="ada")
    await kit.manager.desktops.delete(name="ada-1", actor="ada")
    assert kit.xrdp.passwords == {}
    assert await kit.manager.desktops.list() == []
    assert await kit.manager.hosts.list() == []
    with pytest.raises(NotFound):
        await kit.manager.desktops.delete(name="ada-1")
    assert kit.trail.acts()[-1] == ("desktop.deleted", "ada")


async def test_nobody_has_more_than_the_quota_also_at_once(kit: Kit) -> None:
    desktops = kit.manager.desktops
    made = await asyncio.gather(
        *(desktops.create(name=f"d-{i}", owner="ada") for i in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, Forbidden) for one in made) == 3
    assert len(await desktops.list(owner="ada")) == len(kit.xrdp.passwords) == 2
    await desktops.create(name="bob-1", owner="bob")


async def test_a_quota_of_one_s_own(kit: Kit) -> None:
    desktops = kit.manager.desktops
    assert (await desktops.quota(owner="ada")).limit == 2
    assert (await desktops.set_quota(owner="ada", limit=0, actor="root")).own
    with pytest.raises(Forbidden, match="0 desktops"):
        await desktops.create(name="ada-1", owner="ada")
    await desktops.set_quota(owner="ada", limit=1)
    await desktops.create(name="ada-1", owner="ada")
    back = await desktops.set_quota(owner="ada", limit=None)
    assert (back.limit, back.own) == (2, False)


async def test_a_name_is_a_host_s_or_a_desktop_s(kit: Kit) -> None:
    entry = Host(name="office", address="192.0.2.7", added=TIME)
    await kit.manager.hosts.add(host=entry, credentials=HostCredentials(username="u", password=Secret("p")))
    with pytest.raises(Conflict):
        await kit.manager.desktops.create(name="office", owner="ada")
    await kit.manager.desktops.create(name="ada-1", owner="ada")
    with pytest.raises(Conflict):
        await kit.manager.desktops.create(name="ada-1", owner="bob")
    assert [host.name for host in await kit.manager.hosts.list()] == ["ada-1", "office"]


async def test_the_host_of_a_desktop_goes_with_it_alone(kit: Kit) -> None:
    await kit.manager.desktops.create(name="ada-1", owner="ada")
    with pytest.raises(Conflict, match="desktop"):
        await kit.manager.hosts.remove(name="ada-1")
    with pytest.raises(Conflict, match="desktop"):
        await kit.manager.hosts.change_credentials(
            name="ada-1", credentials=HostCredentials(username="u", password=Secret("p"))
        )


async def test_without_a_built_in_host_the_reason_is_said(kit: Kit) -> None:
    kit.xrdp.available = False
    with pytest.raises(Unavailable, match="xrdp is not installed"):
        await kit.manager.desktops.create(name="ada-1", owner="ada")
    assert await kit.manager.desktops.list() == []


@pytest.mark.parametrize("call", ["create_user", "endpoint"])
async def test_what_could_not_be_created_is_undone(kit: Kit, call: str) -> None:
    kit.xrdp.fail = {call}
    with pytest.raises(Unavailable):
        await kit.manager.desktops.create(name="ada-1", owner="ada")
    assert kit.xrdp.passwords == {}
    kit.xrdp.fail = set()
    await kit.manager.desktops.create(name="ada-1", owner="ada")


async def test_what_could_not_be_undone_is_undone_later(kit: Kit) -> None:
    kit.xrdp.fail = {"endpoint", "remove_user"}
    with pytest.raises(Unavailable):
        await kit.manager.desktops.create(name="ada-1", owner="ada")
    assert [one.state for one in await kit.manager.desktops.list()] == [DesktopState.DELETING]
    with pytest.raises(Unavailable):
        await kit.again().desktops.reconcile()
    kit.xrdp.fail = set()
    await kit.again().desktops.reconcile()
    assert await kit.manager.desktops.list() == []
    assert kit.xrdp.passwords == {}


async def test_a_host_that_took_the_name_does_not_keep_the_desktop(kit: Kit) -> None:
    await kit.manager.desktops.create(name="ada-1", owner="ada")
    kit.xrdp.fail = {"remove_user"}
    with pytest.raises(Unavailable):
        await kit.manager.desktops.delete(name="ada-1")
    entry = Host(name="ada-1", address="192.0.2.7", added=TIME)
    await kit.manager.hosts.add(host=entry, credentials=HostCredentials(username="u", password=Secret("p")))
    kit.xrdp.fail = set()
    await kit.manager.desktops.reconcile()
    assert await kit.manager.desktops.list() == []
    assert kit.xrdp.passwords == {}
    assert (await kit.manager.hosts.get(name="ada-1")).address == "192.0.2.7"


async def crashed(kit: Kit, state: str) -> None:
    """The desktop as a crash in the middle of a change leaves it."""
    found = await kit.documents.get(DESKTOPS, "ada-1")
    await kit.documents.replace(DESKTOPS, "ada-1", found.body | {"state": state}, version=found.version)


@pytest.mark.parametrize("done", ["nothing", "account", "host"])
async def test_an_interrupted_creation_is_finished(kit: Kit, done: str) -> None:
    desktop = await kit.manager.desktops.create(name="ada-1", owner="ada")
    await crashed(kit, "creating")
    if done != "host":
        await kit.manager.hosts.discard("ada-1", None)
    if done == "nothing":
        kit.xrdp.passwords.clear()
    with pytest.raises(Conflict):
        await kit.manager.desktops.stop(name="ada-1")
    await kit.again().desktops.reconcile()
    assert (await kit.manager.desktops.get(name="ada-1")).state is DesktopState.STOPPED
    host = await kit.manager.hosts.get(name="ada-1")
    assert (await kit.manager.hosts.credentials(host=host)).password == kit.xrdp.passwords[desktop.account]


async def test_an_interrupted_reset_and_deletion_are_finished(kit: Kit) -> None:
    desktop = await kit.manager.desktops.create(name="ada-1", owner="ada")
    await crashed(kit, "resetting")
    await kit.again().desktops.reconcile()
    assert kit.xrdp.homes[desktop.account] == 2
    await crashed(kit, "deleting")
    with pytest.raises(NotFound):
        await kit.manager.desktops.reset(name="ada-1")
    await kit.again().desktops.reconcile()
    assert (await kit.manager.desktops.list(), await kit.manager.hosts.list()) == ([], [])


async def test_a_built_in_host_that_lost_its_accounts_gets_them_again(kit: Kit) -> None:
    desktop = await kit.manager.desktops.create(name="ada-1", owner="ada")
    password = kit.xrdp.passwords.pop(desktop.account)
    await kit.manager.desktops.reconcile()
    assert kit.xrdp.passwords == {desktop.account: password}


async def test_a_built_in_host_that_moved_is_followed(kit: Kit) -> None:
    await kit.manager.desktops.create(name="ada-1", owner="ada")
    kit.xrdp.place = PLACE.model_copy(update={"port": 4000, "fingerprint": "6" * 64})
    await kit.manager.desktops.reconcile()
    host = await kit.manager.hosts.get(name="ada-1")
    assert (host.port, host.fingerprint) == (4000, "6" * 64)
    assert (await kit.manager.hosts.credentials(host=host)).username.startswith("lucid-ada-1-")
    taken = len(kit.anchored.taken)
    await kit.manager.desktops.reconcile()
    assert len(kit.anchored.taken) == taken


async def test_a_caller_that_goes_away_leaves_no_half_desktop(kit: Kit) -> None:
    kit.anchored.wait = asyncio.Event()
    creating = asyncio.create_task(kit.manager.desktops.create(name="ada-1", owner="ada"))
    await asyncio.wait_for(kit.anchored.asked.wait(), 5)
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    kit.anchored.wait.set()
    await until_not(lambda: ("desktop.created", "lucid-cli") not in kit.trail.acts())
    assert [one.state for one in await kit.manager.desktops.list()] == [DesktopState.STOPPED]
