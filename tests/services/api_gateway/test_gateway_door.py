"""The door itself, byte by byte: smuggled requests, slow and greedy clients, TLS, CORS, its log."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from structlog.testing import capture_logs

from lucid.base.errors import InvalidInput
from lucid.crypto.certificate import fingerprint, self_signed
from lucid.services.api_gateway.service import ApiGateway
from tests.services.api_gateway.gateway_kit import World, document

PREFIXES = {"things": ("/api/v1/things",)}
PATH = "/api/v1/things/x"


class Things:
    """A service that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.api = FastAPI(openapi_url=None)

        @self.api.api_route(PATH, methods=["GET", "POST"])
        async def x(request: Request) -> int:
            self.asked.append(request.method)
            return len(await request.body())

        @self.api.get("/openapi.json")
        async def openapi() -> dict[str, Any]:
            return document(("get", PATH, {"x-permission": "public"}), ("post", PATH, {"x-permission": "public"}))


@pytest.fixture
async def things(world: World) -> Things:
    service = Things()
    await world.host("things", service.api)
    return service


async def speak(gateway: ApiGateway, *parts: bytes) -> bytes:
    """Send the parts as they are; what comes back until the gateway closes."""
    assert gateway._listening is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway._listening.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return await reader.read()
    except OSError:  # cut off at once
        return b""
    finally:
        writer.close()


HEAD = b"POST /api/v1/things/x HTTP/1.1\r\nHost: a\r\n"
SECOND = b"GET /api/v1/things/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Content-Length: 0\r\nContent-Length: 90\r\n\r\n" + SECOND,
        HEAD + b"Content-Length: +5\r\n\r\nhello" + SECOND,
        HEAD + b"Content-Length: 5, 5\r\n\r\nhello" + SECOND,
        HEAD + b"Content-Length: 0x5\r\n\r\nhello" + SECOND,
        HEAD + b"Content-Length : 5\r\n\r\nhello" + SECOND,
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;\n\r\nhello\r\n0\r\n\r\n" + SECOND,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello" + SECOND,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nhello" + SECOND,
        HEAD + b"X: a\r\n Content-Length: 5\r\n\r\nhello" + SECOND,
        b"POST /api/v1/things/x HTTP/1.1\nHost: a\nContent-Length: 0\n\n" + SECOND,
        HEAD + b"Host: b\r\n\r\n" + SECOND,
        b"GET /api/v1/things/x HTTP/1.1\r\n\r\n",
        b"GET /api/v1/things/x HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /api/v1/things/x\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v1/things/x HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET /api/v1/things/\xff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /api/v1/things/../things/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_ambiguous_requests_are_refused_and_nothing_is_smuggled(
    world: World, things: Things, request_: bytes
) -> None:
    gateway = await world.gateway(PREFIXES)
    answer = await speak(gateway, request_)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405")), answer
    assert b"application/problem+json" in head
    assert b"HTTP/1.1" not in rest, "a second request was seen"
    assert things.asked == []


async def test_pipelined_requests_are_answered_in_order(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES)
    answer = await speak(gateway, HEAD + b"Content-Length: 5\r\n\r\nhello" + SECOND)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert things.asked == ["POST", "GET"]


async def test_a_large_head_is_refused(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES, header_limit_bytes=2048)
    fits = b"X: " + b"a" * 1500 + b"\r\n"
    assert (await speak(gateway, SECOND.replace(b"Host", fits + b"Host"))).startswith(b"HTTP/1.1 200")
    for large in (b"X: " + b"a" * 3000 + b"\r\n", b"X: a\r\n" * 500):
        answer = await speak(gateway, SECOND.replace(b"Host", large + b"Host"))
        assert answer.startswith(b"HTTP/1.1 431")
        assert b"application/problem+json" in answer
    long = b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    assert (await speak(gateway, long)).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("parts", [(b"",), (b"GET / HT",), (SECOND[:-2],), (b"\r\n",)])
async def test_a_head_that_does_not_come_ends_the_connection(
    world: World, things: Things, parts: tuple[bytes, ...]
) -> None:
    gateway = await world.gateway(PREFIXES, header_timeout_s=0.1)
    assert (await speak(gateway, *parts)).startswith(b"HTTP/1.1 408")


async def test_a_head_that_drips_after_an_answer_ends_the_connection(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES, header_timeout_s=0.2)
    assert gateway._listening is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway._listening.port)
    writer.write(b"GET /api/v1/things/x HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(1)
    writer.write(b"\r\n")
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_body_that_stops_is_a_timeout(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES, body_idle_s=0.1)
    answer = await speak(gateway, HEAD + b"Content-Length: 10\r\n\r\nhello")
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:lucid:error:client-too-slow"


async def test_connections_have_a_limit(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES, max_connections=2)
    assert gateway._listening is not None
    held = [await asyncio.open_connection("127.0.0.1", gateway._listening.port) for _ in range(2)]
    assert await speak(gateway, SECOND) == b""
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(5):
        while not (await speak(gateway, SECOND)).startswith(b"HTTP/1.1 200"):
            pass


async def test_expected_bodies_are_asked_for_when_they_are_wanted(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES, body_limit_bytes=10)
    expect = b"Expect: 100-continue\r\nConnection: close\r\n"
    answer = await speak(gateway, HEAD + expect + b"Content-Length: 5\r\n\r\n", b"hello")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    answer = await speak(gateway, HEAD + expect + b"Content-Length: 50\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


async def test_tls_with_a_certificate_of_its_own_that_stays(world: World, things: Things) -> None:
    seen = []
    for _ in range(2):
        gateway = await world.gateway(PREFIXES, tls="on")
        endpoint = await gateway.endpoint()
        assert endpoint.url.startswith("https://127.0.0.1:")
        port = int(endpoint.url.rpartition(":")[2])
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == endpoint.fingerprint
        seen.append(endpoint.fingerprint)
        client = await world.client(gateway, verify=ssl.create_default_context(cadata=pem))
        answer = await client.get(PATH)
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
    assert seen[0] == seen[1]


async def test_tls_with_a_given_certificate(world: World, things: Things, tmp_path: Path) -> None:
    pem = self_signed("127.0.0.1")
    (tmp_path / "both.pem").write_bytes(pem)
    gateway = await world.gateway(PREFIXES, tls_certificate=tmp_path / "both.pem")
    assert (await gateway.endpoint()).fingerprint == fingerprint(pem)


async def test_a_certificate_that_does_not_fit_is_named(world: World, tmp_path: Path) -> None:
    (tmp_path / "rubbish.pem").write_text("rubbish")
    for path in (tmp_path / "rubbish.pem", tmp_path / "missing.pem"):
        with pytest.raises(InvalidInput, match=path.name):
            await world.gateway(PREFIXES, tls_certificate=path)


async def test_a_door_that_is_not_of_this_machine_alone_speaks_tls(world: World) -> None:
    gateway = await world.gateway(PREFIXES, public_host="0.0.0.0", public_address="lucid.example")
    assert (await gateway.endpoint()).url.startswith("https://lucid.example:")
    plain = await world.gateway(PREFIXES, public_host="0.0.0.0", tls="off")
    assert (await plain.endpoint()).url.startswith("http://")


async def test_a_taken_port_is_said(world: World) -> None:
    first = await world.gateway(PREFIXES)
    port = int((await first.endpoint()).url.rpartition(":")[2])
    with pytest.raises(InvalidInput, match=f"{port}.*LUCID_API_GATEWAY_PUBLIC_PORT"):
        await world.gateway(PREFIXES, public_port=port)


PAGE = {"Origin": "https://app.example"}
PREFLIGHT = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def test_cors_is_off_unless_an_origin_is_allowed(world: World, things: Things) -> None:
    client = await world.client(await world.gateway(PREFIXES))
    assert (await client.options(PATH, headers=PREFLIGHT)).status_code == 405
    assert "access-control-allow-origin" not in (await client.get(PATH, headers=PAGE)).headers


async def test_an_allowed_origin_may_ask(world: World, things: Things) -> None:
    client = await world.client(await world.gateway(PREFIXES, cors_origins=("https://app.example",)))
    answer = await client.options(PATH, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    answer = await client.get(PATH, headers=PAGE)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in answer.headers
    problem = await client.get("/nothing", headers=PAGE)
    assert problem.headers["access-control-allow-origin"] == "https://app.example"
    for other in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert "access-control-allow-origin" not in (await client.get(PATH, headers=other)).headers
        answer = await client.options(PATH, headers={**PREFLIGHT, **other})
        assert "access-control-allow-methods" not in answer.headers


async def test_each_request_is_logged_without_its_query_or_token(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES, access_log=True)
    client = await world.client(gateway, world.tokens.access())
    with capture_logs() as logs:
        answer = await client.get(PATH + "?q=secret")
    (line,) = [log for log in logs if log["event"] == "request"]
    assert (line["method"], line["path"], line["status"], line["service"]) == ("GET", PATH, 200, "things")
    assert line["request"] == answer.headers["x-request-id"]
    assert line["trace"] == answer.headers["traceresponse"].split("-")[1]
    text = json.dumps(logs)
    assert "secret" not in text
    assert client.headers["authorization"].split()[1] not in text


async def test_a_bug_is_told_as_a_problem_without_its_details(
    world: World, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await world.gateway(PREFIXES)
    client = await world.client(gateway)

    async def fail(*_: object) -> None:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(gateway._door._forwarder, "forward", fail)
    answer = await client.get(PATH)
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_uploads_of_clients_that_leave_end_at_the_service(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES)
    client = await world.client(gateway)

    async def leaving() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await client.post(PATH, content=leaving())
    assert (await client.get(PATH)).status_code == 200
    assert gateway._pools["things"].choose().running == 0


async def test_the_merged_document_is_public(world: World, things: Things) -> None:
    client = await world.client(await world.gateway(PREFIXES))
    answer = await client.get("/api/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()["paths"]) == {PATH, "/api/v1/openapi.json"}
    assert (await client.post("/api/v1/openapi.json")).status_code == 405


async def test_http_1_0_is_served(world: World, things: Things) -> None:
    gateway = await world.gateway(PREFIXES)
    answer = await speak(gateway, b"GET /api/v1/things/x HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
