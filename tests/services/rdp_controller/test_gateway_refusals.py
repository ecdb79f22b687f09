"""Who is turned away, and what is logged then. Nothing stays behind: no task, no socket."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable

import pytest

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.rdp.host import ReplayHost
from lucid.model.session import EndReason
from lucid.wire.rdp.x224 import PROTOCOL_HYBRID, PROTOCOL_SSL, ConnectionRequest
from tests.paintings import paintings
from tests.services.rdp_controller.conftest import PASSWORD, USERNAME, Bench, MakeBench, open_files
from tests.services.rdp_controller.gateway_fakes import logged
from tests.waiting import until

REQUEST = ConnectionRequest(b"lucid=unknown", PROTOCOL_SSL, 0).to_bytes()


async def refusal(bench: Bench, count: int = 1) -> tuple[str, str]:
    """Reason and detail of the last refusal, once there were `count`."""
    await until(lambda: len(logged(bench.log, "connection refused")) >= count)
    return logged(bench.log, "connection refused")[-1]


async def send(bench: Bench, data: bytes) -> bytes:
    """Send bytes and return what the gateway says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", await bench.port())
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


def spoil_used(bench: Bench, ticket: str) -> None:
    bench.tickets.used.add(ticket)


def spoil_expired(bench: Bench, ticket: str) -> None:
    bench.tickets.expired.add(ticket)


def spoil_forged(bench: Bench, ticket: str) -> None:
    del bench.tickets.grants[ticket]


def spoil_host(bench: Bench, ticket: str) -> None:
    bench.tickets.issue(ticket, host="gone")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_used, ("bad-ticket", "the ticket was used before")),
        (spoil_expired, ("bad-ticket", "the ticket has expired")),
        (spoil_forged, ("bad-ticket", "no such ticket")),
        (spoil_host, ("host-unknown", "no host gone")),
    ],
)
async def test_a_bad_ticket(
    make_bench: MakeBench, spoil: Callable[[Bench, str], None], expected: tuple[str, str]
) -> None:
    bench = await make_bench()
    ticket = bench.tickets.issue("t")
    spoil(bench, ticket)
    with pytest.raises(Unavailable):
        await bench.connect(ticket)
    assert await refusal(bench) == expected
    assert bench.pipeline.opened == []


async def test_a_ticket_works_once(make_bench: MakeBench) -> None:
    bench = await make_bench()
    ticket = bench.tickets.issue("t")
    async with await bench.connect(ticket):
        with pytest.raises(Unavailable):
            await bench.connect(ticket)
    assert await refusal(bench) == ("bad-ticket", "the ticket was used before")


async def test_a_ticket_leads_to_its_own_host_alone(make_bench: MakeBench) -> None:
    bench, other = await make_bench(), await make_bench()
    bench.hosts.put("other", other.host.port, username=USERNAME, password=Secret(PASSWORD))
    async with await bench.connect(bench.tickets.issue("t", host="other")):
        pass
    assert len(other.host.logons) == 1
    assert bench.host.logons == []


async def test_too_many_bad_tickets_close_the_door_for_that_address(make_bench: MakeBench) -> None:
    bench = await make_bench(bad_tickets_per_minute=3)
    for count in range(1, 5):
        await send(bench, REQUEST)
        assert (await refusal(bench, count))[0] == "bad-ticket"
    with pytest.raises(Unavailable):
        await bench.connect()
    assert await refusal(bench, 5) == ("too-many-bad-tickets", "from this address; again in 60 s")


async def test_a_client_without_tls_is_told(make_bench: MakeBench) -> None:
    bench = await make_bench()
    for protocols in (0, PROTOCOL_HYBRID):
        answer = await send(bench, ConnectionRequest(b"lucid=t", protocols, 0).to_bytes())
        assert answer[11:] == b"\x03\x00\x08\x00\x01\x00\x00\x00"
    assert await refusal(bench, 2) == ("tls-not-offered", "the client must offer TLS security")


async def test_no_ticket(make_bench: MakeBench) -> None:
    bench = await make_bench()
    assert await send(bench, ConnectionRequest(b"", PROTOCOL_SSL, 0).to_bytes()) == b""
    assert (await refusal(bench))[0] == "no-ticket"


HOSTILE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "oversized": b"\x03\x00\xff\xff" + bytes(70_000),
    "another-version": b"\x04" + REQUEST[1:],
    "zero-length": b"\x03\x00\x00\x00",
    "lengths-disagree": REQUEST[:4] + b"\xff" + REQUEST[5:],
    "data-before-tls": REQUEST + b"\x16\x03\x01",
    "not-a-request": b"\x03\x00\x00\x0b\x06\xd0\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_request_is_refused(make_bench: MakeBench, data: bytes) -> None:
    bench = await make_bench()
    assert await send(bench, data) == b""
    reason, detail = await refusal(bench)
    assert reason == "protocol-error"
    assert detail


async def test_random_bytes_never_break_it(make_bench: MakeBench) -> None:
    bench = await make_bench(handshake_timeout_s=0.5)
    for count in range(1, 60):
        await send(bench, (b"\x03\x00" if count % 2 else b"") + os.urandom(count * 7))
        assert (await refusal(bench, count))[0] in {"protocol-error", "handshake-timeout"}
    async with await bench.connect():
        pass


async def test_truncated_slow_and_closing_clients(make_bench: MakeBench) -> None:
    bench = await make_bench(handshake_timeout_s=0.3)
    assert await send(bench, REQUEST[:9]) == b""
    assert await refusal(bench) == ("handshake-timeout", "no connection request within 0.3 s")
    _, writer = await asyncio.open_connection("127.0.0.1", await bench.port())
    writer.close()
    assert await refusal(bench, 2) == ("client-closed", "before its connection request")
    reader, writer = await asyncio.open_connection("127.0.0.1", await bench.port())
    dripping = asyncio.create_task(_drip(writer, REQUEST[:-1]))
    with contextlib.suppress(ConnectionResetError):  # the answer to a byte that comes behind the close
        assert await reader.read() == b""
    dripping.cancel()
    assert (await refusal(bench, 3))[0] == "handshake-timeout"
    writer.transport.abort()


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0.02)


async def test_half_open_connections_are_bounded_and_leave_nothing(make_bench: MakeBench) -> None:
    bench = await make_bench(handshake_timeout_s=1.0, max_connections=300, max_connections_per_address=200)
    async with await bench.connect():
        pass
    await bench.pipeline.last_end()
    await until(lambda: len(asyncio.all_tasks()) <= 2)
    tasks, files = len(asyncio.all_tasks()), open_files()
    address = ("127.0.0.1", await bench.port())
    for _ in range(20):
        sockets = []
        for _ in range(500):
            half_open = socket.socket()
            half_open.setblocking(False)
            half_open.connect_ex(address)
            sockets.append(half_open)
        await asyncio.sleep(0.05)
        served = [task for task in asyncio.all_tasks() if task.get_name().startswith("rdp-controller:")]
        assert len(served) <= 200
        for number, half_open in enumerate(sockets):
            if number % 2:  # half of them go with a reset
                half_open.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            half_open.close()
    await until(lambda: len(asyncio.all_tasks()) <= tasks and open_files() <= files, within_s=20)
    assert len(logged(bench.log, "connection refused")) > 5_000, "the kernel drops some before they are accepted"
    reasons = {reason for reason, _ in logged(bench.log, "connection refused")}
    assert reasons <= {"too-many-connections", "client-closed", "handshake-timeout"}
    async with await bench.connect() as client:
        await client.wait_received(10_000)


async def test_garbage_in_place_of_tls_ends_the_session(make_bench: MakeBench) -> None:
    """So does leaving then, as a client does that insists on NLA, which it offered beside TLS."""
    bench = await make_bench()
    for data, reason in ((os.urandom(300), EndReason.PROTOCOL_ERROR), (b"", EndReason.CLIENT_CLOSED)):
        request = ConnectionRequest(f"lucid={bench.tickets.issue(os.urandom(4).hex())}".encode(), PROTOCOL_SSL, 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", await bench.port())
        writer.write(request.to_bytes())
        assert len(await reader.readexactly(19)) == 19
        if data:
            writer.write(data)
            await reader.read()
        writer.close()
        end = await bench.pipeline.last_end()
        assert end.reason is reason
        assert end.detail.rpartition(": ")[2]


async def test_a_host_that_is_not_there(make_bench: MakeBench) -> None:
    bench = await make_bench()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        bench.hosts.put("demo", unused.getsockname()[1], username="u", password=Secret("p"))
        with pytest.raises(Unavailable):
            await bench.connect()
    reason, detail = await refusal(bench)
    assert reason == "host-unreachable"
    assert "Connect" in detail or "refused" in detail


async def test_a_host_that_does_not_answer(make_bench: MakeBench) -> None:
    bench = await make_bench(connect_timeout_s=0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.hosts.put("demo", silent.getsockname()[1], username="u", password=Secret("p"))
        with pytest.raises(Unavailable):
            await bench.connect()
    reason, detail = await refusal(bench)
    assert reason == "host-unreachable"
    assert detail.endswith("does not answer within 0.3 s")


async def test_the_first_certificate_of_a_host_is_pinned_and_another_refused(make_bench: MakeBench) -> None:
    bench = await make_bench()
    async with await bench.connect():
        pass
    pinned = bench.hosts.hosts["demo"].fingerprint
    assert len(pinned) == 64
    impostor = ReplayHost(
        paintings(1), tls=server_context(self_signed("desktop")), username=USERNAME, password=Secret(PASSWORD)
    )
    async with impostor:
        bench.hosts.put("demo", impostor.port, username=USERNAME, password=Secret(PASSWORD), fingerprint=pinned)
        with pytest.raises(Unavailable):
            await bench.connect()
        assert impostor.logons == []
    reason, detail = await refusal(bench)
    assert reason == "host-certificate"
    assert pinned[:16] in detail
