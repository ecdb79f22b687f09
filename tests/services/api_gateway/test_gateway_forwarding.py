"""How requests are passed on: headers, bodies, streams, retries, broken and slow services, instances that change."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import psutil
import pytest
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from lucid.model.permission import Permission
from lucid.ports.access import REVOKED, Revocation
from lucid.ports.api import PRINCIPAL_KEY, Caller, requires
from lucid.ports.registry import Instance
from tests.services.api_gateway.gateway_kit import World, document, until

PREFIXES = {"things": ("/api/v1/things",)}
READ = {"x-permission": "hosts:read"}
OPEN = {"x-permission": "public"}


def app_of(api: FastAPI, *operations: tuple[str, str, dict[str, Any]]) -> FastAPI:
    """`api` with an OpenAPI document of these operations."""

    @api.get("/openapi.json")
    async def openapi() -> dict[str, Any]:
        return document(*operations)

    return api


def bare() -> FastAPI:
    return FastAPI(openapi_url=None)


async def a_client(
    world: World, api: FastAPI, *paths: tuple[str, str, dict[str, Any]], **options: Any
) -> httpx.AsyncClient:
    await world.host("things", app_of(api, *paths))
    gateway = await world.gateway(PREFIXES, **options)
    return await world.client(gateway, world.tokens.access(role="admin"))


def echo() -> FastAPI:
    api = bare()

    @api.api_route("/api/v1/things/echo", methods=["GET", "POST"])
    async def echoed(request: Request) -> dict[str, Any]:
        body = await request.body()
        return {
            "headers": dict(request.headers),
            "query": str(request.url.query),
            "body": len(body),
            "path": request.scope["raw_path"].decode(),
        }

    return api


async def until_status(client: httpx.AsyncClient, method: str, status: int) -> None:
    async with asyncio.timeout(5):
        while (await client.request(method, "/api/v1/things/echo")).status_code != status:
            pass


ECHO = (("get", "/api/v1/things/echo", READ), ("post", "/api/v1/things/echo", READ))


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


MIB = 1024 * 1024


async def test_a_hundred_megabytes_flow_both_ways_without_being_held(world: World) -> None:
    api = bare()

    @api.post("/api/v1/things/up")
    async def up(request: Request) -> int:
        return sum([len(part) async for part in request.stream()])

    @api.get("/api/v1/things/down")
    async def down() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(400):
                yield b"x" * (MIB // 4)

        return StreamingResponse(parts(), media_type="application/octet-stream")

    paths = (("post", "/api/v1/things/up", READ), ("get", "/api/v1/things/down", READ))
    client = await a_client(world, api, *paths, body_limit_bytes=200 * MIB)
    process = psutil.Process(os.getpid())
    await client.get("/api/v1/things/nothing")
    before = process.memory_info().rss

    async def body() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield b"x" * (MIB // 4)

    assert (await client.post("/api/v1/things/up", content=body())).json() == 100 * MIB
    received, most = 0, before
    async with client.stream("GET", "/api/v1/things/down") as answer:
        async for part in answer.aiter_raw():
            received += len(part)
            most = max(most, process.memory_info().rss)
    assert received == 100 * MIB
    assert most - before < 32 * MIB  # services, gateway and client together


async def test_bodies_have_a_limit(world: World) -> None:
    client = await a_client(world, echo(), *ECHO, body_limit_bytes=1000)

    async def chunked(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 100):
            yield b"x" * 100

    assert (await client.post("/api/v1/things/echo", content=b"x" * 1000)).json()["body"] == 1000
    assert (await client.post("/api/v1/things/echo", content=chunked(1000))).json()["body"] == 1000
    for content in (b"x" * 1001, chunked(1100)):
        answer = await client.post("/api/v1/things/echo", content=content)
        assert answer.status_code == 413
        assert answer.json()["status"] == 413


async def test_a_body_that_would_cost_a_service_much_memory_to_refuse_does_not_get_there(world: World) -> None:
    client = await a_client(world, echo(), *ECHO)
    assert (await client.post("/api/v1/things/echo", content=b"x" * 65_536)).json()["body"] == 65_536
    wrong = {f"a{number}": 0 for number in range(10_000)}
    assert (await client.post("/api/v1/things/echo", json=wrong)).status_code == 413


async def test_events_come_as_they_are_sent_and_the_service_learns_when_nobody_listens(world: World) -> None:
    api, begun, ended, proceed = bare(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    @api.get("/api/v1/things/events")
    async def events() -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            try:
                await begun.wait()
                yield "data: 1\n\n"
                await proceed.wait()
                yield "data: 2\n\n"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return StreamingResponse(stream(), media_type="text/event-stream")

    client = await a_client(world, api, ("get", "/api/v1/things/events", READ))
    async with client.stream("GET", "/api/v1/things/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        begun.set()  # the head came before the first event
        parts = answer.aiter_text()
        assert await anext(parts) == "data: 1\n\n"
        proceed.set()
        assert await anext(parts) == "data: 2\n\n"
        assert not ended.is_set()
    async with asyncio.timeout(5):
        await ended.wait()


async def revoke(world: World, **of: str) -> None:
    revocation = Revocation(user="ada", time=world.clock.now(), **of)
    await world.bus.publish(REVOKED, revocation.model_dump())


async def _all(parts: AsyncIterator[str]) -> list[str]:
    return [part async for part in parts]


@pytest.mark.parametrize("of", [{"session": "s1"}, {}], ids=["login", "all logins"])
async def test_events_end_with_the_login(world: World, of: dict[str, str]) -> None:
    api, ended = bare(), asyncio.Event()

    @api.get("/api/v1/things/events")
    async def events() -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            try:
                while True:
                    yield "data: 1\n\n"
                    await asyncio.sleep(0.01)
            finally:
                ended.set()

        return StreamingResponse(stream(), media_type="text/event-stream")

    client = await a_client(world, api, ("get", "/api/v1/things/events", READ))
    async with client.stream("GET", "/api/v1/things/events") as answer:
        parts = answer.aiter_text()
        await anext(parts)
        await revoke(world, session="another")
        await anext(parts)
        await revoke(world, **of)
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(_all(parts), 5)
    async with asyncio.timeout(5):
        await ended.wait()


def socket_app() -> FastAPI:
    api = bare()

    @api.websocket("/api/v1/things/{name}/socket")
    async def talk(socket: WebSocket, name: str) -> None:
        if name == "closed":
            await socket.close()
            return
        await socket.accept(subprotocol="chat" if "chat" in socket.scope["subprotocols"] else None)
        await socket.send_text(f"{name} {socket.headers['x-forwarded-for']}")
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("text") == "bye":
                    await socket.close(4001, "as you wish")
                    return
                if (text := message.get("text")) is not None:
                    await socket.send_text(text)
                else:
                    await socket.send_bytes(message["bytes"])

    return api


SOCKET = ("get", "/api/v1/things/{name}/socket", {**READ, "x-websocket": True})


async def test_a_websocket_passes_through(world: World) -> None:
    await world.host("things", app_of(socket_app(), SOCKET))
    gateway = await world.gateway(PREFIXES)
    url = (await gateway.endpoint()).url + "/api/v1/things/a/socket"
    token = world.tokens.access()
    async with aiohttp.ClientSession() as session:
        ways: tuple[dict[str, Any], ...] = (
            {"headers": {"Authorization": f"Bearer {token}"}},
            {"protocols": ("chat", f"lucid.bearer.{token}")},
            {"protocols": (f"lucid.bearer.{token}",)},
            {"headers": {"Authorization": f"Bearer {token}"}, "protocols": ("lucid.bearer", ".x")},
        )
        for way, protocol in zip(ways, (None, "chat", f"lucid.bearer.{token}", None), strict=True):
            async with session.ws_connect(url, **way) as socket:
                assert socket.protocol == protocol
                assert await socket.receive_str() == "a 127.0.0.1"
                await socket.send_str("grüß")
                assert await socket.receive_str() == "grüß"
                await socket.send_bytes(b"\0" * 100_000)
                assert await socket.receive_bytes() == b"\0" * 100_000
                await socket.send_str("bye")
                message = await socket.receive()
                assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as you wish")


async def test_a_websocket_ends_with_the_login(world: World) -> None:
    await world.host("things", app_of(socket_app(), SOCKET))
    url = (await (await world.gateway(PREFIXES)).endpoint()).url + "/api/v1/things/a/socket"
    async with aiohttp.ClientSession() as session:
        ours, other = [
            await session.ws_connect(url, headers={"Authorization": f"Bearer {world.tokens.access(sid=sid)}"})
            for sid in ("s7", "s8")
        ]
        await ours.receive_str()
        await revoke(world, session="s7")
        message = await ours.receive(timeout=5)
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "the login was ended")
        await other.receive_str()
        await other.send_str("still here")
        assert await other.receive_str() == "still here"
        await other.close()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("a/socket", {}, 401),
        ("a/socket", {"Authorization": "Bearer wrong"}, 401),
        ("a/socket", {"Origin": "https://evil.example"}, 403),
        ("a/other", {}, 404),
        ("closed/socket", {"Authorization": "good"}, 403),
    ],
)
async def test_a_websocket_is_refused_with_a_problem(
    world: World, path: str, headers: dict[str, str], status: int
) -> None:
    await world.host("things", app_of(socket_app(), SOCKET))
    gateway = await world.gateway(PREFIXES)
    if headers.get("Authorization") == "good":
        headers = {"Authorization": f"Bearer {world.tokens.access()}"}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"{(await gateway.endpoint()).url}/api/v1/things/{path}", headers=headers)
    assert caught.value.status == status


async def test_a_plain_request_to_a_websocket_is_told_so(world: World) -> None:
    client = await a_client(world, socket_app(), SOCKET)
    assert (await client.get("/api/v1/things/a/socket")).status_code == 426


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
