"""Services and checks of the agent, what health and catalog say of them: by py-consul."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from consul import Check
from consul.aio import Consul
from consul.exceptions import BadRequest

from lucid.crypto.certificate import self_signed, server_context
from tests.services.service_mesh.conftest import plain
from tests.services.service_mesh.mesh_kit import RunningMesh, running_mesh
from tests.waiting import until


async def passing(consul: Consul, service: str) -> list[str]:
    """Ids of the instances that pass."""
    _, nodes = await consul.health.service(service, passing=True)
    return sorted(node["Service"]["ID"] for node in nodes)


async def statuses(consul: Consul, service: str) -> dict[str, str]:
    _, checks = await consul.health.checks(service)
    return {check["CheckID"]: check["Status"] for check in checks}


@contextlib.asynccontextmanager
async def web(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives the answers in turn, the last one for ever; its port and the requests it got."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answers[min(len(asked), len(answers)) - 1])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def test_a_service_without_checks_passes_and_is_told_of_everywhere(
    consul: Consul, http: httpx.AsyncClient
) -> None:
    assert await consul.agent.service.register("web", "web-1", "10.0.0.5", 80, tags=["blue"], meta={"a": "b"})
    service = (await consul.agent.services())["web-1"]
    assert (service["Service"], service["Address"], service["Port"]) == ("web", "10.0.0.5", 80)
    assert (service["Tags"], service["Meta"]) == (["blue"], {"a": "b"})
    definition = await http.get("/v1/agent/service/web-1")  # py-consul asks without the token
    assert definition.json()["ID"] == "web-1"
    _, names = await consul.catalog.services()
    assert names["web"] == ["blue"]
    _, (found,) = await consul.catalog.service("web")
    assert (found["ServiceID"], found["ServiceAddress"], found["ServicePort"]) == ("web-1", "10.0.0.5", 80)
    assert found["ServiceTags"] == ["blue"]
    assert found["ServiceMeta"] == {"a": "b"}
    assert found["Node"]
    assert await passing(consul, "web") == ["web-1"]


async def test_the_id_is_the_name_where_none_is_given(consul: Consul) -> None:
    await consul.agent.service.register("web")
    assert list(await consul.agent.services()) == ["web"]


async def test_a_removed_service_is_told_of_nowhere(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    assert await consul.agent.service.deregister("web-1")
    assert await consul.agent.services() == {}
    assert await consul.agent.checks() == {}
    assert await passing(consul, "web") == []
    assert "web" not in (await consul.catalog.services())[1]
    assert not await consul.agent.service.deregister("web-1")  # 404


async def test_a_ttl_check_begins_as_critical_and_is_set_by_its_service(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    assert await statuses(consul, "web") == {"service:web-1": "critical"}
    assert await passing(consul, "web") == []
    for act, status in (("ttl_warn", "warning"), ("ttl_fail", "critical"), ("ttl_pass", "passing")):
        assert await getattr(consul.agent.check, act)("service:web-1", notes="so it is")
        assert await statuses(consul, "web") == {"service:web-1": status}
        assert (await consul.agent.checks())["service:web-1"]["Output"] == "so it is"
    assert await passing(consul, "web") == ["web-1"]


async def test_a_ttl_check_that_nobody_renews_is_critical_within_its_ttl(consul: Consul, mesh: RunningMesh) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    await consul.agent.check.ttl_pass("service:web-1")
    await mesh.turn(9.0)
    await consul.agent.check.ttl_pass("service:web-1")
    await mesh.turn(9.9)
    assert await passing(consul, "web") == ["web-1"]
    await mesh.turn(0.2)

    async def gone() -> bool:
        return await passing(consul, "web") == []

    await until(gone)
    assert "web-1" in await consul.agent.services()
    assert "TTL" in (await consul.agent.checks())["service:web-1"]["Output"]


async def test_a_service_that_stays_critical_is_forgotten(consul: Consul, mesh: RunningMesh) -> None:
    """Also when it has several checks that all expire at once."""
    forgotten = {"DeregisterCriticalServiceAfter": "2m"}
    checks = [Check.ttl("10s") | forgotten, Check.ttl("11s") | forgotten, Check.ttl("12s")]
    await consul.agent.service.register("web", "web-1", check=checks[0], extra_checks=checks[1:])
    await consul.agent.service.register("other", "other-1", check=Check.ttl("10s"))
    for number in (1, 2, 3):
        await consul.agent.check.ttl_pass(f"service:web-1:{number}")
    await mesh.turn(10.5)

    async def critical() -> bool:
        return (await statuses(consul, "web"))["service:web-1:1"] == "critical"

    await until(critical)
    await mesh.turn(119.0)
    await consul.agent.check.ttl_fail("service:other-1")
    assert "web-1" in await consul.agent.services()
    await mesh.turn(30.0)

    async def forgotten_now() -> bool:
        return "web-1" not in await consul.agent.services()

    await until(forgotten_now)
    assert list(await consul.agent.services()) == ["other-1"]  # and what it was said to keep is kept


@pytest.mark.parametrize("act", ["ttl_pass", "ttl_warn", "ttl_fail", "deregister"])
async def test_a_check_that_is_unknown_cannot_be_set(consul: Consul, act: str) -> None:
    assert not await getattr(consul.agent.check, act)("service:nobody")


async def test_a_check_of_the_node_makes_all_its_services_fail(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1")
    assert await consul.agent.check.register("disk", check=Check.ttl("10s"), check_id="disk", notes="space")
    assert await passing(consul, "web") == []
    await consul.agent.check.ttl_pass("disk")
    assert await passing(consul, "web") == ["web-1"]
    node = (await consul.catalog.nodes())[1][0]["Node"]
    _, checks = await consul.health.node(node)
    assert {check["CheckID"]: check["Notes"] for check in checks}["disk"] == "space"
    assert await consul.agent.check.deregister("disk")
    assert "disk" not in await consul.agent.checks()


async def test_a_further_check_of_a_service(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1")
    await consul.agent.check.register("deep", check=Check.ttl("10s"), service_id="web-1")
    assert await statuses(consul, "web") == {"deep": "critical"}
    assert await passing(consul, "web") == []
    await consul.agent.service.deregister("web-1")
    assert "deep" not in await consul.agent.checks()


async def test_a_check_of_an_unknown_service_is_refused(http: httpx.AsyncClient) -> None:
    body = {"Name": "deep", "ServiceID": "nobody", "TTL": "10s"}
    answer = await http.put("/v1/agent/check/register", json=body)
    assert 400 <= answer.status_code < 500
    assert "nobody" in answer.text


async def test_a_check_is_updated_by_its_status(consul: Consul, http: httpx.AsyncClient) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    path = "/v1/agent/check/update/service:web-1"
    assert (await http.put(path, json={"Status": "warning", "Output": "slow"})).status_code == 200
    check = (await consul.agent.checks())["service:web-1"]
    assert (check["Status"], check["Output"]) == ("warning", "slow")
    assert (await http.put(path, json={"Status": "splendid"})).status_code == 400


async def test_registering_again_keeps_status_and_replaces_the_rest(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1", port=80, check=Check.ttl("10s"))
    await consul.agent.check.ttl_pass("service:web-1")
    await consul.agent.service.register("web", "web-1", port=81, check=Check.ttl("10s"))
    assert (await consul.agent.services())["web-1"]["Port"] == 81
    assert await passing(consul, "web") == ["web-1"]


async def test_checks_that_are_no_longer_named_go_only_when_asked(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"), extra_checks=[Check.ttl("20s")])
    assert len(await consul.agent.checks()) == 2
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"))
    assert len(await consul.agent.checks()) >= 2
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s"), replace_existing_checks=True)
    assert list(await consul.agent.checks()) == ["service:web-1"]


async def test_an_initial_status_is_taken(consul: Consul) -> None:
    await consul.agent.service.register("web", "web-1", check=Check.ttl("10s") | {"Status": "passing"})
    assert await passing(consul, "web") == ["web-1"]


async def test_maintenance_takes_a_service_out_and_back(consul: Consul, http: httpx.AsyncClient) -> None:
    await consul.agent.service.register("web", "web-1")
    assert await consul.agent.service.maintenance("web-1", "true", reason="new disk")
    assert await passing(consul, "web") == []
    await consul.agent.service.register("web", "web-1", port=81)  # it does not bring itself back
    assert await passing(consul, "web") == []
    _, checks = await consul.health.checks("web")
    assert any(check["Notes"] == "new disk" or check["Output"] == "new disk" for check in checks)
    assert await consul.agent.service.maintenance("web-1", "false")
    assert await passing(consul, "web") == ["web-1"]
    assert not await consul.agent.service.maintenance("nobody", "true")  # 404
    assert (await http.put("/v1/agent/service/maintenance/web-1")).status_code == 400


async def test_health_by_tag_and_state(consul: Consul) -> None:
    await consul.agent.service.register("web", "blue", tags=["blue", "all"])
    await consul.agent.service.register("web", "green", tags=["green", "all"], check=Check.ttl("10s"))

    async def found(**which: Any) -> list[str]:
        _, nodes = await consul.health.service("web", **which)
        return sorted(node["Service"]["ID"] for node in nodes)

    assert await found() == ["blue", "green"]
    assert await found(tag="green") == ["green"]
    assert await found(tag=["all", "blue"]) == ["blue"]
    assert await found(tag="red") == []
    assert await found(passing=True, near="_agent") == ["blue"]
    _, critical = await consul.health.state("critical")
    assert [check["ServiceID"] for check in critical] == ["green"]
    _, every = await consul.health.state("any")
    assert {check["ServiceID"] for check in every} >= {"green"}
    _, (green,) = await consul.catalog.service("web", tag="green")
    assert green["ServiceID"] == "green"


async def test_an_http_check_is_made_by_the_mesh(consul: Consul, http: httpx.AsyncClient) -> None:
    answers = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    )
    async with web(*answers) as (port, asked):
        check = {"Name": "deep", "HTTP": f"http://127.0.0.1:{port}/health?a=b", "Method": "POST", "Interval": "1s"}
        body = {"Name": "web", "ID": "web-1", "Check": check | {"Header": {"X-Who": ["mesh"]}, "Timeout": "2s"}}
        assert (await http.put("/v1/agent/service/register", json=body)).status_code == 200
        seen = []
        for status in ("passing", "warning", "critical"):

            async def reached(status: str = status) -> bool:
                return list((await statuses(consul, "web")).values()) == [status]

            await until(reached)
            seen.append(status)
        assert asked[0].startswith(b"POST /health?a=b HTTP/1.1\r\n")
        assert b"x-who: mesh" in asked[0].lower()
        assert all(b"elsewhere" not in request for request in asked)
    await consul.agent.service.deregister("web-1")


async def test_the_certificate_is_checked_unless_told_otherwise(http: httpx.AsyncClient, consul: Consul) -> None:
    tls = server_context(self_signed("127.0.0.1"))
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", tls=tls) as (port, _):
        for name, skip in (("strict", False), ("lax", True)):
            check = {"HTTP": f"https://127.0.0.1:{port}/", "Interval": "1s", "TLSSkipVerify": skip}
            answer = await http.put("/v1/agent/service/register", json={"Name": name, "Check": check})
            assert answer.status_code == 200

        async def looked() -> bool:
            return all(check["Output"] for check in (await consul.agent.checks()).values())

        await until(looked)
        assert await statuses(consul, "strict") == {"service:strict": "critical"}
        assert await statuses(consul, "lax") == {"service:lax": "passing"}


async def test_an_http_check_that_cannot_be_made_is_critical(http: httpx.AsyncClient, consul: Consul) -> None:
    """Nothing in it is sent as something else, and nothing ends the mesh's task."""
    checks: dict[str, dict[str, Any]] = {
        "header": {"HTTP": "http://127.0.0.1:9/", "Header": {"X": ["a\r\nY: b"]}},
        "host": {"HTTP": "http://no.invalid/"},
    }
    for name, check in checks.items():
        body = {"Name": name, "Check": {**check, "Interval": "1s", "Timeout": "1s"}}
        assert (await http.put("/v1/agent/service/register", json=body)).status_code == 200

    async def tried() -> bool:
        return all(check["Output"] for check in (await consul.agent.checks()).values())

    await until(tried)
    assert {check["Status"] for check in (await consul.agent.checks()).values()} == {"critical"}


async def test_a_tcp_check_is_made_by_the_mesh(consul: Consul) -> None:
    async with web(b"") as (port, _):
        await consul.agent.service.register("web", "web-1", check=Check.tcp("127.0.0.1", port, "1s", timeout="1s"))

        async def well() -> bool:
            return await passing(consul, "web") == ["web-1"]

        await until(well)

    async def ill() -> bool:
        return await passing(consul, "web") == []

    await until(ill)


@pytest.mark.parametrize(
    "check",
    [
        {"Args": ["true"], "Interval": "1s"},
        {"GRPC": "127.0.0.1:1", "Interval": "1s"},
        {"DockerContainerID": "x", "Args": ["true"], "Interval": "1s"},
        {"AliasService": "web"},
        {"HTTP": "file:///etc/passwd", "Interval": "1s"},
        {"HTTP": "http://127.0.0.1/"},
        {"HTTP": "http://[", "Interval": "1s"},
        {"HTTP": "http://127.0.0.1:99999/", "Interval": "1s"},
        {"HTTP": "http://127.0.0.1/", "Interval": "1s", "Method": "BREW"},
        {"HTTP": "http://127.0.0.1/", "Interval": "1s", "Header": {"X": "y"}},
        {"TCP": "127.0.0.1:0", "Interval": "1s"},
        {"HTTP": "http://127.0.0.1/", "Interval": "soon"},
        {"TCP": "nowhere", "Interval": "1s"},
        {"TTL": "-1s"},
        {"TTL": "10s", "HTTP": "http://127.0.0.1/", "Interval": "1s"},
        {"Status": "splendid", "TTL": "1s"},
        {},
    ],
)
async def test_checks_that_the_mesh_cannot_make_are_refused(http: httpx.AsyncClient, check: dict[str, Any]) -> None:
    body = {"Name": "web", "Check": {"Name": "c"} | check} if check else {"Name": "c"}
    path = "/v1/agent/service/register" if check else "/v1/agent/check/register"
    answer = await http.put(path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await http.get("/v1/agent/services")).json() == {}


async def test_who_the_agent_is(consul: Consul, http: httpx.AsyncClient) -> None:
    own = (await http.get("/v1/agent/self")).json()
    _, (node,) = await consul.catalog.nodes()
    assert own["Config"]["NodeName"] == node["Node"] == own["Member"]["Name"]
    assert own["Config"]["Datacenter"] == "dc1"
    leader = (await http.get("/v1/status/leader")).json()
    assert (await http.get("/v1/status/peers")).json() == [leader]


async def test_services_are_gone_after_a_restart_and_ports_are_answered_again(tmp_path: Any) -> None:
    for _ in range(2):
        async with running_mesh(tmp_path) as mesh, mesh.client() as consul:
            assert await consul.agent.services() == {}
            await consul.agent.service.register("web", "web-1")


async def test_the_number_of_instances_has_a_limit(tmp_path: Any) -> None:
    async with running_mesh(tmp_path, max_instances=3) as mesh, mesh.client() as consul, plain(mesh) as http:
        for number in range(3):
            await consul.agent.service.register("web", f"web-{number}")
        answer = await http.put("/v1/agent/service/register", json={"Name": "web", "ID": "one-more"})
        assert 400 <= answer.status_code < 500
        await consul.agent.service.register("web", "web-0", port=99)  # those that are there may change
        assert (await consul.agent.services())["web-0"]["Port"] == 99


async def test_a_body_that_is_not_understood_is_refused(mesh: RunningMesh, consul: Consul) -> None:
    async with plain(mesh) as http:
        for content in (b"", b"{", b"[]", b"null", b'{"Name": 5}', b'{"Name": "x", "Port": 99999}', b"\xff"):
            answer = await http.put("/v1/agent/service/register", content=content)
            assert answer.status_code == 400, (content, answer.text)
    with pytest.raises(BadRequest):
        await consul.agent.service.register("")
