"""Sessions: their time to live, what becomes of their locks, and the checks that they hang on; by py-consul."""

import asyncio
from typing import Any

import httpx
import pytest
from consul import Check
from consul.aio import Consul
from consul.exceptions import NotFound

from tests.services.service_mesh.mesh_kit import RunningMesh
from tests.waiting import until


async def ids(consul: Consul) -> set[str]:
    return {session["ID"] for session in (await consul.session.list())[1]}


async def test_a_session_is_created_told_of_and_destroyed(consul: Consul) -> None:
    session = await consul.session.create(name="my-session", lock_delay=3, ttl=20, behavior="delete")
    _, info = await consul.session.info(session)
    assert (info["ID"], info["Name"], info["Behavior"], info["TTL"]) == (session, "my-session", "delete", "20s")
    assert info["LockDelay"] == 3_000_000_000
    _, (of_node,) = await consul.session.node(info["Node"])
    assert of_node == info
    assert await ids(consul) == {session}
    assert (await consul.session.renew(session))["ID"] == session
    assert await consul.session.destroy(session)
    assert await ids(consul) == set()
    assert (await consul.session.info(session))[1] is None
    assert await consul.session.destroy(session)
    with pytest.raises(NotFound):
        await consul.session.renew(session)


async def test_without_a_ttl_a_session_stays(consul: Consul, mesh: RunningMesh) -> None:
    session = await consul.session.create()
    await mesh.turn(1_000_000)
    await asyncio.sleep(0.1)
    assert await ids(consul) == {session}
    assert (await consul.session.info(session))[1]["LockDelay"] == 15_000_000_000


async def test_a_session_that_is_not_renewed_ends_and_its_locks_with_it(consul: Consul, mesh: RunningMesh) -> None:
    released = await consul.session.create(ttl=10)
    deleted = await consul.session.create(ttl=10, behavior="delete")
    kept = await consul.session.create(ttl=10)
    await consul.kv.put("released", "x", acquire=released)
    await consul.kv.put("deleted", "x", acquire=deleted)
    await consul.kv.put("kept", "x", acquire=kept)
    await mesh.turn(9.0)
    await consul.session.renew(kept)
    assert await ids(consul) == {released, deleted, kept}
    await mesh.turn(1.5)

    async def ended() -> bool:
        return await ids(consul) == {kept}

    await until(ended)
    _, entry = await consul.kv.get("released")
    assert entry["Value"] == b"x"
    assert "Session" not in entry
    assert (await consul.kv.get("deleted"))[1] is None
    assert (await consul.kv.get("kept"))[1]["Session"] == kept


async def test_a_lock_that_was_lost_is_not_given_for_a_while(consul: Consul, mesh: RunningMesh) -> None:
    """So that whoever lost it notices (lock-delay). A lock that is given back may be taken at once."""
    first, second = await consul.session.create(lock_delay=5), await consul.session.create()
    await consul.kv.put("lock", "1", acquire=first)
    await consul.kv.put("lock", "1", release=first)
    assert await consul.kv.put("lock", "2", acquire=first)
    await consul.session.destroy(first)
    assert await consul.kv.put("lock", "3", acquire=second) is False
    assert await consul.kv.put("lock", "4") is True
    await mesh.turn(4.9)
    assert await consul.kv.put("lock", "5", acquire=second) is False
    await mesh.turn(0.2)
    assert await consul.kv.put("lock", "6", acquire=second) is True


async def test_without_lock_delay_a_lost_lock_is_free(consul: Consul) -> None:
    first, second = await consul.session.create(lock_delay=0), await consul.session.create()
    await consul.kv.put("lock", "1", acquire=first)
    await consul.session.destroy(first)
    assert await consul.kv.put("lock", "2", acquire=second) is True


async def test_a_session_ends_with_a_check_that_it_hangs_on(consul: Consul, http: httpx.AsyncClient) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    await consul.agent.check.ttl_pass("service:web-1")
    body = {"NodeChecks": ["serfHealth"], "ServiceChecks": [{"ID": "service:web-1"}]}
    session = (await http.put("/v1/session/create", json=body)).json()["ID"]
    old = await consul.session.create(checks=["serfHealth", "service:web-1"])
    await consul.kv.put("lock", "x", acquire=session)
    assert await ids(consul) == {session, old}
    await consul.agent.check.ttl_fail("service:web-1")

    async def ended() -> bool:
        return await ids(consul) == set()

    await until(ended)
    assert "Session" not in (await consul.kv.get("lock"))[1]


@pytest.mark.parametrize("critical", [True, False], ids=["critical", "unknown"])
async def test_a_session_cannot_hang_on_a_check_that_fails(
    consul: Consul, http: httpx.AsyncClient, critical: bool
) -> None:
    if critical:
        await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    answer = await http.put("/v1/session/create", json={"Checks": ["service:web-1"]})
    assert 400 <= answer.status_code < 500
    assert await ids(consul) == set()


@pytest.mark.parametrize(
    "body",
    [
        {"TTL": "9s"},
        {"TTL": "86401s"},
        {"TTL": "soon"},
        {"LockDelay": "61s"},
        {"LockDelay": "-1s"},
        {"Behavior": "explode"},
        {"Node": "elsewhere"},
        {"Name": 5},
        [],
    ],
)
async def test_sessions_that_cannot_be_are_refused(http: httpx.AsyncClient, body: Any) -> None:
    answer = await http.put("/v1/session/create", json=body)
    assert answer.status_code == 400, answer.text
    assert (await http.get("/v1/session/list")).json() == []


@pytest.mark.parametrize("use", ["acquire", "release"])
async def test_a_session_that_is_not_there_gets_no_lock(http: httpx.AsyncClient, use: str) -> None:
    for session in ("", "nobody", "00000000-0000-0000-0000-000000000000"):
        answer = await http.put(f"/v1/kv/lock?{use}={session}", content=b"x")
        assert answer.status_code == 400 or answer.json() is False
    assert (await http.get("/v1/kv/lock")).status_code == 404


async def test_lock_delay_as_a_number(http: httpx.AsyncClient) -> None:
    """Consul takes small numbers for seconds and large ones for nanoseconds."""
    for given in (7, 7_000_000_000):
        session = (await http.put("/v1/session/create", json={"LockDelay": given})).json()["ID"]
        (info,) = (await http.get(f"/v1/session/info/{session}")).json()
        assert info["LockDelay"] == 7_000_000_000


async def test_a_watcher_is_told_of_a_session(consul: Consul) -> None:
    index, _ = await consul.session.list()
    waiting = asyncio.create_task(consul.session.list(index=index, wait="20s"))
    session = await consul.session.create()
    later, found = await asyncio.wait_for(waiting, 5.0)
    assert int(later) > int(index)
    assert [one["ID"] for one in found] == [session]
