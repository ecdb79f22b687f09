"""How requests are passed on: headers, retries, broken and slow services, instances that change."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from lucid.model.permission import Permission
from lucid.ports.api import PRINCIPAL_KEY, Caller, requires
from lucid.ports.registry import Instance
from tests.services.api_gateway.gateway_kit import World
from tests.services.api_gateway.things_kit import ECHO, OPEN, PREFIXES, READ, a_client, app_of, bare, echo, until_status
from tests.waiting import until


async def test_the_clients_credentials_and_internal_headers_stay_at_the_door(world: World) -> None:
    client = await a_client(world, echo(), *ECHO)
    sent = {
        "Cookie": "session=1",
        "Lucid-Arguments": "{}",
        "Lucid-Principal": "root",
        "X_Underscore": "1",
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "TE": "trailers",
        "Proxy-Authorization": "Basic x",
        "X-Kept": "kept",
        "Accept": "text/x",
    }
    got = (await client.get("/api/v1/things/echo?a=%2F&b=1+2", headers=sent)).json()
    headers = got["headers"]
    assert headers["x-kept"] == "kept"
    assert headers["accept"] == "text/x"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert got["query"] == "a=%2F&b=1+2"
    gone = {"cookie", "lucid-arguments", "lucid-principal", "x_underscore", "forwarded", "x-real-ip", "x-hop"}
    assert not (gone | {"te", "proxy-authorization"}) & headers.keys()
    token = client.headers["authorization"].split()[1]
    assert token not in headers["authorization"]
    assert headers["host"].startswith("127.0.0.1:")


async def test_the_service_learns_for_whom_it_is_asked(world: World) -> None:
    router = APIRouter()

    @router.get("/api/v1/things/me", **requires(Permission.ACCOUNT_OWN))
    async def me(request: Request, principal: Caller) -> dict[str, Any]:
        assert request.scope[PRINCIPAL_KEY] is principal
        shown: dict[str, Any] = principal.model_dump(mode="json")
        return shown

    await world.service("things", router, PREFIXES["things"])
    client = await world.client(await world.gateway(PREFIXES), world.tokens.access("bob", "auditor", sid="s9"))
    got = (await client.get("/api/v1/things/me")).json()
    assert (got["user"], got["role"], got["session"], got["methods"]) == ("bob", "auditor", "s9", ["pwd"])


async def test_request_id_and_trace_go_through_every_hop(world: World) -> None:
    client = await a_client(world, echo(), *ECHO)
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = {"X-Request-ID": "my-request-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01", "tracestate": "a=b"}
    answer = await client.get("/api/v1/things/echo", headers=sent)
    headers = answer.json()["headers"]
    assert headers["x-request-id"] == answer.headers["x-request-id"] == "my-request-1"
    assert headers["traceparent"].split("-")[1] == trace
    assert headers["traceparent"].split("-")[2] != "b7ad6b7169203331"
    assert headers["tracestate"] == "a=b"
    assert answer.headers["traceresponse"] == headers["traceparent"]

    bad = {
        "X-Request-ID": "no spaces\u00e4",
        "traceparent": "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "tracestate": "a=b",
    }
    answer = await client.get(
        "/api/v1/things/echo", headers=[(name.encode(), value.encode()) for name, value in bad.items()]
    )
    headers = answer.json()["headers"]
    assert len(headers["x-request-id"]) == 36
    assert headers["traceparent"].split("-")[1] != "0" * 32
    assert "tracestate" not in headers


async def test_a_trusted_proxy_is_believed(world: World) -> None:
    client = await a_client(world, echo(), *ECHO, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    for sent, seen in (
        ({"X-Forwarded-For": "1.1.1.1, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"),
        ({"Forwarded": 'for=1.1.1.1, for="[2001:db8::1]:4711";proto=https'}, "2001:db8::1"),
        ({"X-Forwarded-For": "rubbish"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
    ):
        answer = await client.get("/api/v1/things/echo", headers=sent)
        assert answer.json()["headers"]["x-forwarded-for"] == seen


async def test_answers_carry_security_headers_and_not_the_services_own(world: World) -> None:
    api = bare()

    @api.get("/api/v1/things/x")
    async def x() -> Response:
        headers = {"Set-Cookie": "a=b", "Cache-Control": "public", "X-Hop": "1", "Connection": "X-Hop", "ETag": '"1"'}
        return Response(b"x", 200, {**headers, "Referrer-Policy": "unsafe-url"})

    client = await a_client(world, api, ("get", "/api/v1/things/x", READ))
    headers = (await client.get("/api/v1/things/x")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers.get_list("cache-control") == ["no-store"]
    assert headers["etag"] == '"1"'
    assert headers["ratelimit"]
    for name in ("set-cookie", "x-hop", "server", "strict-transport-security", "access-control-allow-origin"):
        assert name not in headers
    assert len(headers.get_list("date")) == 1


async def test_only_the_platforms_own_cookies_pass_and_only_with_public_operations(world: World) -> None:
    api = bare()

    @api.get("/api/v1/things/{name}")
    async def cookies(request: Request, response: Response) -> str:
        response.set_cookie("lucid_login", "1", httponly=True)
        response.set_cookie("tracking", "1")
        return request.headers.get("cookie", "")

    paths = (("get", "/api/v1/things/open", OPEN), ("get", "/api/v1/things/closed", READ))
    client = await a_client(world, api, *paths)
    sent = {"Cookie": "a=lucid_x; lucid_login=7; session=1;lucid_b=2"}
    answer = await client.get("/api/v1/things/open", headers=sent)
    assert answer.json() == "lucid_login=7; lucid_b=2"
    assert answer.headers.get_list("set-cookie") == ["lucid_login=1; HttpOnly; Path=/; SameSite=lax"]
    answer = await client.get("/api/v1/things/closed", headers=sent)
    assert answer.json() == ""
    assert "set-cookie" not in answer.headers


async def test_unknown_paths_and_methods(world: World) -> None:
    client = await a_client(world, echo(), *ECHO)
    answer = await client.delete("/api/v1/things/echo")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    for path in ("/", "/api/v1/things", "/api/v1/things/echo/", "/rpc/Safe/look"):
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["type"] == "urn:lucid:error:not-found"
    for path in ("/api/v1/things/%2e%2e/openapi.json", "/api/v1/things/echo%2f..%2f..%2fopenapi.json", "/openapi.json"):
        assert (await client.get(path)).status_code == 404, path


async def test_a_service_that_was_not_seen_yet_is_unavailable(world: World) -> None:
    client = await world.client(await world.gateway(PREFIXES), world.tokens.access())
    answer = await client.get("/api/v1/things/7")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"


async def test_operations_without_permission_or_outside_the_prefixes_are_not_routed(world: World) -> None:
    api = bare()
    operations: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("get", "/api/v1/things/none", {}),
        ("get", "/api/v1/things/odd", {"x-permission": "everything"}),
        ("get", "/api/v1/other/x", OPEN),
        ("get", "/api/v1/thingsandmore", OPEN),
        ("get", "/api/v1/things/fine", OPEN),
    )
    for _, path, _ in operations:
        api.add_api_route(path, lambda: "reached")
    client = await a_client(world, api, *operations)
    statuses = [(await client.get(path)).status_code for _, path, _ in operations]
    assert statuses == [404, 404, 404, 404, 200]


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def raw_instance(world: World, serve: Serve, number: int) -> Instance:
    """An instance that speaks bytes of a test's own."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    world.stack.callback(server.close)
    port = server.sockets[0].getsockname()[1]
    instance = Instance(service="things", id=f"raw-{number}", address="127.0.0.1", port=port)
    await world.registry.register(instance=instance, ttl_s=10)
    return instance


def broken(asked: list[str], answer: bytes = b"") -> Serve:
    """Reads a request, writes `answer`, and is gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode())
        writer.write(answer)
        await writer.drain()
        writer.transport.abort() if not answer else writer.close()

    return serve


async def healthy_and(world: World, serve: Serve, **settings: Any) -> httpx.AsyncClient:
    """A client of a gateway that knows a good instance and one that serves with `serve`."""
    client = await a_client(world, echo(), *ECHO, **settings)
    await raw_instance(world, serve, 1)
    return client


async def test_a_get_is_tried_again_elsewhere_when_its_instance_breaks(world: World) -> None:
    asked: list[str] = []
    client = await healthy_and(world, broken(asked))
    await until(lambda: bool(asked))
    for _ in range(10):
        assert (await client.get("/api/v1/things/echo")).status_code == 200
    assert any("/api/v1/things/echo" in line for line in asked)


async def test_a_post_that_may_have_been_done_is_not_tried_again(world: World) -> None:
    asked: list[str] = []
    client = await healthy_and(world, broken(asked), breaker_failures=1000)
    await until(lambda: bool(asked))
    statuses = [(await client.post("/api/v1/things/echo", content=b"x")).status_code for _ in range(10)]
    posts = [line for line in asked if line.startswith("POST")]
    assert len(posts) == statuses.count(503) > 0
    assert set(statuses) == {200, 503}


async def test_a_post_goes_elsewhere_when_no_connection_came_about(world: World) -> None:
    client = await a_client(world, echo(), *ECHO, breaker_failures=1000)
    instance = Instance(service="things", id="gone", address="127.0.0.1", port=9)
    await world.registry.register(instance=instance, ttl_s=10)
    for _ in range(10):
        assert (await client.post("/api/v1/things/echo", content=b"x")).status_code == 200


async def test_an_answer_that_breaks_off_breaks_the_connection(world: World) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf"
    asked: list[str] = []
    instance = await world.host("things", app_of(echo(), *ECHO))
    gateway = await world.gateway(PREFIXES)
    client = await world.client(gateway, world.tokens.access())
    await raw_instance(world, broken(asked, head), 1)
    await until(lambda: bool(asked))
    await world.registry.deregister(id=instance.id)
    await until(lambda: [*gateway._pools["things"]._targets] == ["raw-1"])
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/api/v1/things/echo")


async def test_a_broken_instance_is_left_alone_and_tried_later(world: World) -> None:
    asked: list[str] = []
    working = asyncio.Event()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode()
        if "things" in line:
            asked.append(line)
            if working.is_set():
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
        writer.close()

    first = await world.host("things", app_of(echo(), *ECHO))
    gateway = await world.gateway(PREFIXES, breaker_failures=3, breaker_open_s=0.2)
    client = await world.client(gateway, world.tokens.access())
    await raw_instance(world, serve, 1)
    await world.registry.deregister(id=first.id)
    await until(lambda: [*gateway._pools["things"]._targets] == ["raw-1"])
    answers = [await client.get("/api/v1/things/echo") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [503] * 6
    assert len(asked) == 3
    assert all(answer.headers["retry-after"] == "1" for answer in answers)
    working.set()
    await until_status(client, "GET", 200)
    assert len(asked) == 4


async def test_a_slow_service_is_a_gateway_timeout(world: World) -> None:
    api = bare()

    @api.get("/api/v1/things/slow")
    async def slow() -> None:
        await asyncio.sleep(30)

    client = await a_client(world, api, ("get", "/api/v1/things/slow", READ), answer_timeout_s=0.2)
    answer = await client.get("/api/v1/things/slow")
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:lucid:error:service-too-slow")


async def test_instances_come_and_go_without_a_restart(world: World) -> None:
    def named(name: str) -> FastAPI:
        api = bare()
        api.add_api_route("/api/v1/things/name", lambda: name)
        return app_of(api, ("get", "/api/v1/things/name", READ))

    one = await world.host("things", named("one"))
    client = await world.client(await world.gateway(PREFIXES), world.tokens.access())

    async def seen(times: int = 8) -> set[str]:
        return {(await client.get("/api/v1/things/name")).json() for _ in range(times)}

    async def until_seen(names: set[str]) -> None:
        async with asyncio.timeout(5):
            while await seen() != names:
                pass

    assert await seen() == {"one"}
    await world.host("things", named("two"))
    await until_seen({"one", "two"})
    await world.registry.deregister(id=one.id)
    await until_seen({"two"})


async def test_a_new_version_brings_new_routes(world: World) -> None:
    old = await world.host("things", app_of(echo(), ECHO[0]))
    client = await world.client(await world.gateway(PREFIXES), world.tokens.access())
    assert (await client.post("/api/v1/things/echo")).status_code == 405
    await world.host("things", app_of(echo(), *ECHO))
    await world.registry.deregister(id=old.id)
    await until_status(client, "POST", 200)


async def test_published_files_need_no_token_and_may_be_cached(world: World) -> None:
    api = bare()

    @api.get("/tile/{rest:path}")
    async def tile(rest: str) -> Response:
        return Response(rest.encode(), headers={"Cache-Control": "public, max-age=31536000, immutable"})

    api.add_api_route("/rpc/secret", lambda: "secret")
    await world.host("log", api)
    gateway = await world.gateway({}, published={"/log/tile/": ("log", "/tile/"), "/log/key": ("log", "/key")})
    client = await world.client(gateway)
    await until(lambda: bool(gateway._pools["log"]._targets))
    answer = await client.get("/log/tile/0/x001/067")
    assert (answer.content, answer.headers["cache-control"]) == (b"0/x001/067", "public, max-age=31536000, immutable")
    assert (await client.post("/log/tile/0/x001/067")).status_code == 405
    for path in ("/log/rpc/secret", "/log/tile/%2e%2e/rpc/secret", "/log/tile/", "/log/", "/log/checkpoint"):
        assert (await client.get(path)).status_code == 404, path
    gone = await client.get("/log/key")
    assert (gone.status_code, gone.headers["cache-control"]) == (404, "no-store")
