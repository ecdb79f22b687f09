"""Sessions that go wrong: the recorder fails or lags, a peer hangs or breaks the protocol."""

import asyncio
import os
import ssl

import pytest

from lucid.base.errors import RecorderFailed, Unavailable
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.recording import Recording
from lucid.model.frame import Direction, Frame
from lucid.model.session import EndReason
from lucid.wire.rdp.x224 import PROTOCOL_SSL, ConnectionRequest
from tests.paintings import paintings, picture
from tests.services.rdp_controller.conftest import Bench, MakeBench, open_files
from tests.services.rdp_controller.gateway_fakes import logged
from tests.waiting import until


def flood(megabytes: int) -> Recording:
    """So much at once that every buffer on the way fills."""
    burst = b"".join(picture(n % 256, 0, 0) for n in range(128))
    return Recording(800, 600, tuple(Frame(0, Direction.SERVER_TO_CLIENT, burst) for _ in range(megabytes)))


@pytest.mark.parametrize("error", [RecorderFailed("the disk is full"), Unavailable("the recorder does not answer")])
async def test_frames_that_cannot_be_stored_end_the_session(make_bench: MakeBench, error: Unavailable) -> None:
    bench = await make_bench(recording=paintings(500))
    client = await bench.connect()
    bench.recorder.fail = error
    await client.wait_closed()
    end = await bench.pipeline.last_end()
    assert (end.reason, end.detail) == (EndReason.RECORDER_FAILED, error.detail)


async def test_an_idle_session_ends_with_its_recording(make_bench: MakeBench) -> None:
    bench = await make_bench(recording=paintings(3), heartbeat_s=0.1)
    client = await bench.connect()
    await until(lambda: bench.recorder.calls > 5)
    calls, session = bench.recorder.calls, bench.pipeline.opened[0]
    data = bytes(bench.recorder.data[session])
    await until(lambda: bench.recorder.calls >= calls + 3)
    assert bytes(bench.recorder.data[session]) == data
    bench.recorder.fail = RecorderFailed("the recording has ended: interrupted")
    await client.wait_closed()
    end = await bench.pipeline.last_end()
    assert (end.reason, end.detail) == (EndReason.RECORDER_FAILED, "the recording has ended: interrupted")


async def test_frames_that_are_not_stored_within_a_second_end_the_session(make_bench: MakeBench) -> None:
    bench = await make_bench(recording=paintings(500), append_limit_s=0.3)
    client = await bench.connect()
    bench.recorder.gate.clear()
    began = asyncio.get_running_loop().time()
    await client.wait_closed()
    assert asyncio.get_running_loop().time() - began < 1.5
    end = await bench.pipeline.last_end()
    assert (end.reason, end.detail) == (EndReason.RECORDER_FAILED, "frames were not durable within 0.3 s")


async def test_frames_reach_the_recorder_within_150_ms(make_bench: MakeBench) -> None:
    bench = await make_bench(recording=paintings(100))
    async with await bench.connect() as client:
        await client.wait_received(100_000)
        await asyncio.sleep(0.2)
        frames = bench.recorder.frames(bench.pipeline.opened[0])
        recorded = sum(len(frame.data) for frame in frames if frame.direction is Direction.SERVER_TO_CLIENT)
        assert recorded >= 100_000
        calls = bench.recorder.calls
        await asyncio.sleep(0.5)
        assert 2 <= bench.recorder.calls - calls <= 5


async def test_a_slow_recorder_slows_the_session_and_bounds_memory(make_bench: MakeBench) -> None:
    bench = await make_bench(recording=flood(64), tee_buffer_bytes=1_048_576, append_limit_s=20)
    client = await bench.connect()
    bench.recorder.gate.clear()
    try:
        await _until_quiet(client)
        assert client.bytes_received < 32 * 1024 * 1024
        bench.recorder.gate.set()
        await client.wait_received(60 * 1024 * 1024)
    finally:
        bench.recorder.gate.set()
        await client.close()
    await bench.pipeline.last_end()


async def _until_quiet(client: RdpClient) -> None:
    """Return once the client has received nothing for a while."""
    seen = -1
    while client.bytes_received != seen:
        seen = client.bytes_received
        await asyncio.sleep(0.3)


async def test_a_client_that_stops_reading_ends_the_session(make_bench: MakeBench) -> None:
    bench = await make_bench(recording=flood(64), stall_limit_s=0.5)
    client = await bench.connect()
    client.stop_reading()
    end = await bench.pipeline.last_end()
    assert (end.reason, end.detail) == (EndReason.CLIENT_STALLED, "the client read nothing for 0.5 s")
    assert logged(bench.log, "session ended") == [("client-stalled", "the client read nothing for 0.5 s")]
    await client.close()


async def test_the_last_frames_are_recorded(make_bench: MakeBench) -> None:
    """What was sent in the last moment before the end is durable before the end is reported."""
    bench = await make_bench(recording=paintings(30, interval_ms=1), at_end="disconnect")
    client = await bench.connect()
    await client.wait_closed()
    await bench.pipeline.last_end()
    recorded = b"".join(frame.data for frame in bench.recorder.frames(bench.pipeline.opened[0]))
    assert recorded.count(picture(29, 29 * 64 % 768, 29 * 32 % 576)) == 1


async def _tls_session(bench: Bench) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw client that has come as far as TLS."""
    ticket = bench.tickets.issue(os.urandom(4).hex())
    reader, writer = await asyncio.open_connection("127.0.0.1", await bench.port())
    writer.write(ConnectionRequest(f"lucid={ticket}".encode(), PROTOCOL_SSL, 0).to_bytes())
    await reader.readexactly(19)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await writer.start_tls(context)
    return reader, writer


async def test_garbage_inside_tls_ends_the_session(make_bench: MakeBench) -> None:
    bench = await make_bench()
    for garbage in (
        b"\x01" + os.urandom(5000),
        b"\x03\x00\x00\x08\x02\xf0\x80\x7f",
        b"\x03\x00\xff\xff" + bytes(70_000),
    ):
        reader, writer = await _tls_session(bench)
        writer.write(garbage)
        assert await reader.read() == b""
        end = await bench.pipeline.last_end()
        assert end.reason is EndReason.PROTOCOL_ERROR
        assert end.detail.startswith("client: ")
        writer.transport.abort()


async def test_a_client_that_does_not_log_on_is_not_waited_for(make_bench: MakeBench) -> None:
    bench = await make_bench(handshake_timeout_s=0.4)
    reader, writer = await _tls_session(bench)
    assert await reader.read() == b""
    end = await bench.pipeline.last_end()
    assert (end.reason, end.detail) == (EndReason.PROTOCOL_ERROR, "no logon within 0.4 s")
    writer.transport.abort()


async def test_nothing_stays_behind(make_bench: MakeBench) -> None:
    bench = await make_bench(stall_limit_s=0.3, handshake_timeout_s=0.3, recording=flood(16))
    tasks, files = len(asyncio.all_tasks()), open_files()
    for _ in range(3):
        client = await bench.connect()
        client.stop_reading()
        await bench.pipeline.last_end()
        await client.close()
        _, writer = await _tls_session(bench)
        await bench.pipeline.last_end()
        writer.transport.abort()
        async with await bench.connect():
            pass
        await bench.pipeline.last_end()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: open_files() <= files)
