"""Hosts: registered and removed as accountable acts, credentials sealed, certificates pinned."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from lucid.base.errors import Conflict, Corrupted, InvalidInput, NotFound, Unavailable
from lucid.base.secret import REVEAL, Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.host import Host, HostAccess, HostCredentials
from lucid.ports.access import Audit, Hosts
from lucid.ports.desktops import Desktops, XrdpHost
from lucid.ports.log import Anchoring
from lucid.ports.recording import Pipeline
from lucid.ports.service import Ports
from lucid.ports.stores import Documents
from lucid.services.rdp_server_manager.app import create
from lucid.services.rdp_server_manager.hosts import HostManager
from lucid.services.rdp_server_manager.records import HOSTS
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings
from tests.files import bytes_below
from tests.services.rdp_server_manager.manager_kit import SETTINGS, TIME, Acts, Kit
from tests.waiting import until

CREDENTIALS = HostCredentials(username="desk", password=Secret("hunter2-in-the-safe"), domain="CORP")
DESK = Host(name="desk-1", address="192.0.2.7", added=TIME)
ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def hosts(kit: Kit) -> HostManager:
    return kit.manager.hosts


async def test_a_host_is_kept_as_it_was_added(hosts: HostManager) -> None:
    other = DESK.model_copy(update={"name": "attic", "port": 3390, "fingerprint": ONE})
    assert await hosts.add(host=DESK, credentials=CREDENTIALS) == DESK
    await hosts.add(host=other, credentials=CREDENTIALS)
    assert await hosts.get(name="desk-1") == DESK
    assert await hosts.list() == [other, DESK]
    found = await hosts.credentials(host=DESK)
    assert found.model_dump_json(context={REVEAL: True}) == CREDENTIALS.model_dump_json(context={REVEAL: True})


async def test_a_name_exists_once(hosts: HostManager, acts: Acts) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    with pytest.raises(Conflict):
        await hosts.add(host=DESK, credentials=CREDENTIALS)
    assert len(acts.taken) == 1


async def test_what_is_not_registered_is_not_found(hosts: HostManager) -> None:
    for call in (
        hosts.get(name="desk-1"),
        hosts.credentials(host=DESK),
        hosts.remove(name="desk-1"),
        hosts.pin(name="desk-1", fingerprint=ONE),
    ):
        with pytest.raises(NotFound):
            await call


async def test_adding_and_removing_are_accountable(hosts: HostManager, acts: Acts) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    await hosts.remove(name="desk-1")
    assert await hosts.list() == []
    assert acts.taken == [("host.added", {"host": "desk-1"}), ("host.removed", {"host": "desk-1"})]
    await hosts.add(host=DESK, credentials=CREDENTIALS)


async def test_nothing_changes_without_the_log(hosts: HostManager, acts: Acts) -> None:
    acts.down = True
    with pytest.raises(Unavailable):
        await hosts.add(host=DESK, credentials=CREDENTIALS)
    assert await hosts.list() == []
    acts.down = False
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    acts.down = True
    with pytest.raises(Unavailable):
        await hosts.remove(name="desk-1")
    assert await hosts.list() == [DESK]
    acts.down = False
    await hosts.remove(name="desk-1")


async def test_a_caller_that_goes_away_leaves_no_name_taken(hosts: HostManager, acts: Acts) -> None:
    acts.wait = asyncio.Event()
    adding = asyncio.create_task(hosts.add(host=DESK, credentials=CREDENTIALS))
    async with asyncio.timeout(5):
        await acts.asked.wait()
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    acts.wait.set()
    await until(hosts.list)
    assert await hosts.list() == [DESK]


async def interrupted(documents: SqliteDocuments, state: str) -> None:
    """The host as a crash in the middle of a change leaves it."""
    found = await documents.get(HOSTS, "desk-1")
    await documents.replace(HOSTS, "desk-1", found.body | {"state": state}, version=found.version)


@pytest.mark.parametrize(("state", "act", "left"), [("adding", "host.added", [DESK]), ("removing", "host.removed", [])])
async def test_an_interrupted_change_is_finished_at_the_next_start(
    kit: Kit, hosts: HostManager, documents: SqliteDocuments, acts: Acts, state: str, act: str, left: list[Host]
) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    await interrupted(documents, state)
    assert await hosts.list() == []
    with pytest.raises(NotFound):
        await hosts.credentials(host=DESK)
    acts.taken.clear()
    acts.down = True
    restarted = kit.again().hosts
    await restarted.start()
    await asyncio.wait_for(acts.refused.wait(), 5)
    acts.down = False

    async def finished() -> bool:
        return bool(acts.taken) and await restarted.list() == left

    await until(finished)
    await restarted.check()
    await restarted.stop()
    assert acts.taken == [(act, {"host": "desk-1"})]


async def test_the_first_certificate_is_pinned_and_no_other(hosts: HostManager) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    pinned = await hosts.pin(name="desk-1", fingerprint=ONE)
    assert pinned == DESK.model_copy(update={"fingerprint": ONE})
    assert await hosts.pin(name="desk-1", fingerprint=ONE) == pinned
    with pytest.raises(Conflict, match="another certificate"):
        await hosts.pin(name="desk-1", fingerprint=TWO)
    assert await hosts.get(name="desk-1") == pinned
    assert (await hosts.credentials(host=pinned)).username == "desk"


async def test_of_two_certificates_at_once_one_is_pinned(hosts: HostManager) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    outcomes = await asyncio.gather(
        *(hosts.pin(name="desk-1", fingerprint=fingerprint) for fingerprint in (ONE, TWO) * 5), return_exceptions=True
    )
    pinned = {outcome.fingerprint for outcome in outcomes if isinstance(outcome, Host)}
    assert pinned == {(await hosts.get(name="desk-1")).fingerprint}
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 5


@pytest.mark.parametrize("fingerprint", ["", "a", "A" * 64, "g" * 64, "1" * 65])
async def test_what_is_no_fingerprint_is_refused(hosts: HostManager, fingerprint: str) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    with pytest.raises(InvalidInput) as caught:
        await hosts.pin(name="desk-1", fingerprint=fingerprint)
    assert caught.value.field == "fingerprint"


async def test_credentials_are_sealed_and_not_logged(hosts: HostManager, tmp_path: Path) -> None:
    with capture_logs() as logs:
        await hosts.add(host=DESK, credentials=CREDENTIALS)
        await hosts.credentials(host=DESK)
        await hosts.pin(name="desk-1", fingerprint=ONE)
        await hosts.remove(name="desk-1")
    for secret in ("hunter2-in-the-safe", "CORP"):
        assert secret not in str(logs)
        assert secret.encode() not in bytes_below(tmp_path)
    assert [entry["event"] for entry in logs] == ["host.added", "certificate pinned", "host.removed"]


async def test_sealed_credentials_belong_to_one_host(hosts: HostManager, documents: SqliteDocuments) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    await hosts.add(host=DESK.model_copy(update={"name": "attic"}), credentials=CREDENTIALS)
    ours, theirs = [await documents.get(HOSTS, name) for name in ("desk-1", "attic")]
    assert ours.body["sealed"] != theirs.body["sealed"]
    await documents.replace(HOSTS, "attic", theirs.body | {"sealed": ours.body["sealed"]}, version=theirs.version)
    with pytest.raises(Corrupted):
        await hosts.credentials(host=await hosts.get(name="attic"))


@pytest.mark.parametrize(
    "change", [{"address": "203.0.113.9"}, {"port": 3390}, {"fingerprint": TWO}, {"fingerprint": ""}]
)
async def test_whoever_writes_to_the_store_cannot_send_them_elsewhere(
    hosts: HostManager, documents: SqliteDocuments, change: dict[str, Any]
) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    pinned = await hosts.pin(name="desk-1", fingerprint=ONE)
    found = await documents.get(HOSTS, "desk-1")
    altered = found.body | {"host": found.body["host"] | change}
    await documents.replace(HOSTS, "desk-1", altered, version=found.version)
    seen = await hosts.get(name="desk-1")
    with pytest.raises(Corrupted, match="not sealed for"):
        await hosts.credentials(host=seen)
    # Nor if what was stored is put back between the gateway's two calls.
    await documents.replace(HOSTS, "desk-1", found.body, version=found.version + 1)
    with pytest.raises(Corrupted, match="not sealed for"):
        await hosts.credentials(host=seen)
    assert (await hosts.credentials(host=pinned)).username == "desk"


async def test_another_key_does_not_open_them(hosts: HostManager, documents: SqliteDocuments) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    other = RdpServerManagerSettings(host_seal_key=Secret("cd" * 32))
    with pytest.raises(Corrupted):
        await Kit(documents, other).manager.hosts.credentials(host=DESK)


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "A" * 200])
async def test_damaged_credentials_are_said_to_be(hosts: HostManager, documents: SqliteDocuments, sealed: str) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    found = await documents.get(HOSTS, "desk-1")
    await documents.replace(HOSTS, "desk-1", found.body | {"sealed": sealed}, version=found.version)
    with pytest.raises(Corrupted):
        await hosts.credentials(host=DESK)


@pytest.mark.parametrize("key", ["", "ab", "x" * 64, "AB" * 32])
def test_a_wrong_key_is_named(documents: Any, key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Kit(documents, RdpServerManagerSettings(host_seal_key=Secret(key)))
    assert caught.value.field == "host_seal_key"


async def test_the_app_offers_its_ports(kit: Kit) -> None:
    bound: dict[type, Any] = {
        Documents: kit.documents,
        Anchoring: kit.anchored,
        Pipeline: kit.sessions,
        XrdpHost: kit.xrdp,
        Audit: kit.trail,
    }
    app = create(SETTINGS, Ports(bound, kit.clock))
    await app.start()
    await cast(Any, app.provides[Hosts]).add(host=DESK, credentials=CREDENTIALS)
    assert await cast(Any, app.provides[Desktops]).list() == []
    for check in app.checks.values():
        await check()
    await app.stop()
    assert kit.anchored.taken == [("host.added", {"host": "desk-1"})]


async def test_a_change_of_access_is_anchored_with_who_made_it(hosts: HostManager, acts: Acts) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS, actor="root")
    access = HostAccess(users=("ada",), roles=(), approval=True)
    changed = await hosts.change_access(name="desk-1", access=access, pool="pcs", actor="root")
    assert (changed.access, changed.pool) == (access, "pcs")
    assert await hosts.get(name="desk-1") == changed
    assert (await hosts.credentials(host=changed)).username == "desk"
    assert acts.taken == [
        ("host.added", {"host": "desk-1", "actor": "root"}),
        ("host.changed", {"host": "desk-1", "actor": "root", "change": "access"}),
    ]


async def test_access_is_as_before_while_the_log_has_no_change_of_it(hosts: HostManager, acts: Acts) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    acts.down = True
    with pytest.raises(Unavailable):
        await hosts.change_access(name="desk-1", access=HostAccess(users=("mallory",)))
    assert await hosts.list() == [DESK]


async def test_an_interrupted_change_of_access_is_finished(kit: Kit, hosts: HostManager) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    found = await kit.documents.get(HOSTS, "desk-1")
    after = DESK.model_copy(update={"pool": "pcs"})
    marked = {"state": "changing", "act": {"change": "access"}, "after": {"host": after.model_dump(mode="json")}}
    await kit.documents.replace(HOSTS, "desk-1", found.body | marked, version=found.version)
    assert await hosts.list() == [DESK]
    restarted = kit.again().hosts
    await restarted.start()

    async def listed() -> bool:
        return await restarted.list() == [after]

    await until(listed)
    await restarted.stop()
    assert kit.anchored.taken[-1] == ("host.changed", {"host": "desk-1", "change": "access"})


async def test_changes_and_pins_at_once_are_all_kept(hosts: HostManager) -> None:
    await hosts.add(host=DESK, credentials=CREDENTIALS)
    new = HostCredentials(username="other", password=Secret("p"))
    await asyncio.gather(
        hosts.change_access(name="desk-1", access=HostAccess(users=("ada",)), pool="pcs"),
        hosts.pin(name="desk-1", fingerprint=ONE),
        hosts.change_credentials(name="desk-1", credentials=new),
    )
    host = await hosts.get(name="desk-1")
    assert (host.access.users, host.pool, host.fingerprint) == (("ada",), "pcs", ONE)
    assert (await hosts.credentials(host=host)).username == "other"
