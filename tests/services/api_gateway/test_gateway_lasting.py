"""What takes time to pass through: bodies, streams of events, WebSockets."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import psutil
import pytest
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from lucid.ports.access import REVOKED, Revocation
from tests.services.api_gateway.gateway_kit import World
from tests.services.api_gateway.things_kit import ECHO, PREFIXES, READ, a_client, app_of, bare, echo

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
