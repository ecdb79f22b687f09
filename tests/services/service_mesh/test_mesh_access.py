"""Who is let in, what strange requests are answered, and how blocking queries end."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from consul.aio import Consul
from consul.exceptions import ACLPermissionDenied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.service_mesh.conftest import plain
from tests.services.service_mesh.mesh_kit import TOKEN, RunningMesh, running_mesh
from tests.waiting import until


def every_route(mesh: RunningMesh) -> list[tuple[str, str]]:
    """Methods and paths, with the places for names in braces."""
    return [(method, route.path) for route in mesh.mesh.routes for method in sorted(route.methods or ())]


def filled(path: str, word: str = "x") -> str:
    return re.sub(r"\{.*?\}", lambda _: quote(word, safe=""), path)


async def test_nothing_is_answered_without_the_token(mesh: RunningMesh) -> None:
    routes = every_route(mesh)
    assert len(routes) > 30
    async with httpx.AsyncClient(base_url=mesh.url, trust_env=False) as http:
        shown = ((b"X-Consul-Token", b"wrong"), (b"Authorization", b"Bearer wrong"), (b"X-Consul-Token", b"\xfc"))
        for headers in ([], *([one] for one in shown)):
            for method, path in routes:
                answer = await http.request(method, filled(path), headers=headers)
                open_to_all = path == "/v1/status/leader"  # as in Consul
                assert answer.status_code == (200 if open_to_all else 403), (method, path)
        answer = await http.get("/v1/agent/services?token=" + TOKEN.reveal())  # it would be in every log
        assert answer.status_code == 403


async def test_both_ways_to_show_the_token(mesh: RunningMesh) -> None:
    async with httpx.AsyncClient(base_url=mesh.url, trust_env=False) as http:
        for headers in ({"X-Consul-Token": TOKEN.reveal()}, {"Authorization": f"Bearer {TOKEN.reveal()}"}):
            assert (await http.get("/v1/agent/services", headers=headers)).status_code == 200
    async with mesh.client("wrong") as stranger:
        with pytest.raises(ACLPermissionDenied):
            await stranger.kv.put("foo", "bar")


async def test_what_is_not_there_is_said_in_consuls_way(http: httpx.AsyncClient) -> None:
    unknown = await http.get("/v1/acl/tokens")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    wrong = await http.put("/v1/catalog/services")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
    for path in ("/v1/health/service/web", "/v1/catalog/nodes", "/v1/kv/a"):
        assert (await http.get(path, params={"filter": "x == y"})).status_code == 400
        assert (await http.get(path, params={"ns": "other"})).status_code == 400
        assert (await http.get(path, params={"dc": "elsewhere"})).status_code == 400
        assert (await http.put("/v1/kv/a", params={"dc": "elsewhere"}, content=b"x")).status_code == 400
        assert (await http.get(path, params={"dc": "dc1", "near": "_agent", "stale": ""})).status_code in (200, 404)


async def test_every_answer_that_can_block_says_its_index(http: httpx.AsyncClient) -> None:
    paths = ("catalog/services", "catalog/nodes", "catalog/service/x", "health/service/x", "health/state/any")
    for path in (*paths, "health/checks/x", "health/node/lucid", "kv/none", "kv/?keys", "session/list"):
        answer = await http.get(f"/v1/{path}")
        assert int(answer.headers["x-consul-index"]) > 0, path
        assert answer.headers["x-consul-knownleader"] == "true"
        assert answer.headers["x-consul-lastcontact"] == "0"


@pytest.mark.parametrize("query", ["index=x", "index=-1", "index=5&wait=soon", "index=99999999999999999999"])
async def test_blocking_parameters_that_are_none(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/v1/catalog/services?{query}")).status_code == 400 or "wait" in query


async def test_a_blocking_query_waits_no_longer_than_asked(consul: Consul) -> None:
    index, _ = await consul.health.service("web")
    async with asyncio.timeout(5):
        again, found = await consul.health.service("web", index=index, wait="30ms")
    assert (again, found) == (index, [])


async def test_the_number_of_those_who_wait_has_a_limit(tmp_path: Path) -> None:
    async with running_mesh(tmp_path, max_waiters=2) as mesh, mesh.client() as consul, plain(mesh) as http:
        index, _ = await consul.catalog.services()
        waiting = [asyncio.create_task(consul.catalog.services(index=index, wait="20s")) for _ in range(2)]
        await until(_waits(mesh, 2))
        assert (await http.get(f"/v1/catalog/services?index={index}&wait=20s")).status_code == 429
        await consul.agent.service.register("web")
        for one in waiting:
            assert "web" in (await asyncio.wait_for(one, 5))[1]


async def test_who_hangs_up_waits_no_more(mesh: RunningMesh, consul: Consul) -> None:
    index, _ = await consul.catalog.services()
    async with plain(mesh) as http:
        waiting = asyncio.create_task(http.get(f"/v1/catalog/services?index={index}&wait=60s"))
        await until(_waits(mesh, 1))
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    await until(_waits(mesh, 0))


async def test_who_waits_is_answered_when_the_mesh_stops(tmp_path: Path) -> None:
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        index, _ = await consul.catalog.services()
        waiting = asyncio.create_task(consul.catalog.services(index=index, wait="60s"))
        await until(_waits(mesh, 1))
        await mesh.mesh.stop()
        assert (await asyncio.wait_for(waiting, 5))[0] == index


async def test_after_a_restart_a_watcher_does_not_learn_that_nobody_is_there(tmp_path: Path) -> None:
    """It goes on with those that it knew until somebody has registered again."""
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        await consul.agent.service.register("web", "web-1")
        index, _ = await consul.health.service("web", passing=True)
    async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
        waiting = asyncio.create_task(consul.health.service("web", passing=True, index=index, wait="20s"))
        await until(_waits(mesh, 1))
        await consul.agent.service.register("web", "web-1")
        _, (found,) = await asyncio.wait_for(waiting, 5)
        assert found["Service"]["ID"] == "web-1"


async def test_many_names_that_come_and_go_leave_nothing_behind(mesh: RunningMesh, consul: Consul) -> None:
    for number in range(50):
        await consul.agent.service.register(f"web-{number}", check={"TTL": "10s"})
        await consul.kv.put(f"key-{number}", "x")
        await consul.agent.service.deregister(f"web-{number}")
        await consul.kv.delete(f"key-{number}")
    assert len(mesh.mesh.indexes) < 10


def _waits(mesh: RunningMesh, count: int) -> Callable[[], Awaitable[bool]]:
    async def waits() -> bool:
        return mesh.mesh.indexes.waiters == count

    return waits


WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "0", "1", "-1", "true", "10s", "1e9s", "\0", "\ud800", "x" * 600, "..", "%", "9" * 30, "ns"]),
)
FIELDS = (
    *("Name", "ID", "Address", "Port", "Tags", "Meta", "Check", "Checks", "TTL", "HTTP", "TCP", "Interval", "Timeout"),
    *("Header", "Method", "Status", "ServiceID", "Output", "LockDelay", "Behavior", "NodeChecks", "ServiceChecks"),
    *("KV", "Verb", "Key", "Value", "Flags", "Index", "Session", "DeregisterCriticalServiceAfter", "Notes", "Node"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | WORDS
    | st.just("http://[")
    | st.just("a:b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | WORDS, inner, max_size=5),
    max_leaves=8,
)
QUERIES = st.dictionaries(
    st.sampled_from(
        ["cas", "flags", "acquire", "release", "recurse", "keys", "separator", "raw", "wait", "passing", "tag"]
    )
    | st.sampled_from(["dc", "near", "enable", "reason", "note", "replace-existing-checks", "stale", "node-meta"]),
    WORDS.filter(lambda word: not re.search("[\ud800-\udfff]", word)),
    max_size=4,
)


async def test_strange_input_is_refused_not_stumbled_over(mesh: RunningMesh) -> None:
    routes = [(method, route) for method, route in every_route(mesh) if not route.endswith("{rest:path}")]
    loop = asyncio.get_running_loop()

    async with plain(mesh) as http:

        async def ask(method: str, path: str, query: dict[str, str], body: object) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = await http.request(method, path, params=query, content=content)
            assert answer.status_code < 500, (method, path, query, body, answer.text)

        @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(
            route=st.sampled_from(routes),
            word=WORDS.filter(lambda word: not re.search("[\ud800-\udfff]", word)),
            query=QUERIES,
            body=JSON | st.binary(max_size=30) | st.lists(st.dictionaries(st.just("KV"), JSON, max_size=1), max_size=3),
        )
        def fuzz(route: tuple[str, str], word: str, query: dict[str, str], body: object) -> None:
            method, template = route
            path = filled(template, word)
            asyncio.run_coroutine_threadsafe(ask(method, path, query, body), loop).result(30)

        await asyncio.to_thread(fuzz)
