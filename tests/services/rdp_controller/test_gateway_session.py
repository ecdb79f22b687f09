"""A session through the gateway: what the client sees, what the host gets, what is recorded."""

import asyncio
import json

import pytest

from lucid.base.errors import Corrupted, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.drivers.rdp.client import RdpClient
from lucid.model.frame import Direction
from lucid.model.policy import Policy
from lucid.model.session import EndReason
from lucid.services.rdp_controller.service import allowed_channels
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import UpdateReader
from tests.paintings import paintings
from tests.services.rdp_controller.conftest import PASSWORD, USERNAME, MakeBench
from tests.services.rdp_controller.gateway_fakes import logged
from tests.waiting import until


async def test_the_recording_holds_what_the_client_saw(make_bench: MakeBench) -> None:
    bench = await make_bench(recording=paintings(20), at_end="disconnect")
    client = await bench.connect(width=800, height=600, draw=True)
    await client.wait_closed()
    end = await bench.pipeline.last_end()
    assert end.reason is EndReason.HOST_CLOSED
    frames = bench.recorder.frames(bench.pipeline.opened[0])
    assert frames[0].direction is Direction.EVENT
    assert json.loads(frames[0].data) == {"event": "start", "height": 600, "protocol": "rdp", "width": 800}
    screen, reader = Screen(800, 600), UpdateReader()
    for frame in frames:
        if frame.direction is Direction.SERVER_TO_CLIENT:
            for update in reader.feed(frame.data):
                screen.apply(update)
    assert client.screen is not None
    assert screen.rgb() == client.screen.rgb()
    assert len(set(screen.rgb())) > 10
    assert [frame.time_us for frame in frames] == sorted(frame.time_us for frame in frames)
    assert frames[-1].time_us > 150_000


async def test_the_gateway_logs_in_and_the_client_never_sees_how(make_bench: MakeBench) -> None:
    bench = await make_bench()
    ticket = bench.tickets.issue("ticket-secret-5f3a")
    async with await bench.connect(ticket, username="bogus", password=Secret("bogus")) as client:
        await client.wait_received(50_000)
    await bench.pipeline.last_end()
    assert [(logon.username, logon.accepted) for logon in bench.host.logons] == [(USERNAME, True)]
    recorded = bytes(bench.recorder.data[bench.pipeline.opened[0]])
    for secret in (PASSWORD, ticket):
        assert secret.encode() not in recorded
        assert secret.encode("utf-16-le") not in recorded
        assert secret not in str(bench.log)
        assert secret.encode() not in bench.host.logons[0].cookie


async def test_input_reaches_the_host_and_the_recording(make_bench: MakeBench) -> None:
    bench = await make_bench()
    async with await bench.connect() as client:
        await client.type_text("hello")
        await client.click(10, 20)
        await until(lambda: len(bench.host.inputs) >= 13)
    await bench.pipeline.last_end()
    recorded = b"".join(
        frame.data
        for frame in bench.recorder.frames(bench.pipeline.opened[0])
        if frame.direction is Direction.CLIENT_TO_SERVER
    )
    assert b"".join(bench.host.inputs) in recorded


async def test_a_client_that_leaves_ends_the_session_as_client_closed(make_bench: MakeBench) -> None:
    bench = await make_bench()
    async with await bench.connect() as client:
        await client.wait_received(10_000)
    assert (await bench.pipeline.last_end()).reason is EndReason.CLIENT_CLOSED
    assert logged(bench.log, "session ended") == [("client-closed", "")]
    assert await bench.gateway.live() == []


async def test_the_client_hears_nothing_before_the_opening_is_anchored(make_bench: MakeBench) -> None:
    bench = await make_bench()
    bench.pipeline.gate.clear()
    ticket = bench.tickets.issue("t1")
    reader, writer = await asyncio.open_connection("127.0.0.1", await bench.port())
    from lucid.wire.rdp.x224 import PROTOCOL_SSL, ConnectionRequest

    writer.write(ConnectionRequest(f"lucid={ticket}".encode(), PROTOCOL_SSL, 0).to_bytes())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.3)
    bench.pipeline.gate.set()
    assert await asyncio.wait_for(reader.read(1), 5) == b"\x03"
    writer.close()


async def test_without_an_anchored_opening_there_is_no_session(make_bench: MakeBench) -> None:
    bench = await make_bench()
    bench.pipeline.refuse = Unavailable("the log does not answer")
    with pytest.raises(Unavailable):
        await bench.connect()
    await until(lambda: logged(bench.log, "connection refused") == [("not-recorded", "the log does not answer")])
    assert not bench.host.logons


async def test_live_sessions_are_listed_and_terminated(make_bench: MakeBench) -> None:
    bench = await make_bench()
    async with await bench.connect() as client:
        await client.wait_received(10_000)
        [live] = await bench.gateway.live()
        assert (live.user, live.host, live.client) == ("ann", "demo", "127.0.0.1")
        assert live.host_bytes > 10_000
        assert live.client_bytes > 100
        assert live.client_rtt_ms is not None
        assert live.host_rtt_ms is not None
        assert 0 < live.client_rtt_ms < 1000
        assert 0 < live.host_rtt_ms < 1000
        await bench.gateway.terminate(session=live.session)
        await client.wait_closed()
    assert (await bench.pipeline.last_end()).reason is EndReason.TERMINATED
    with pytest.raises(NotFound):
        await bench.gateway.terminate(session=live.session)


async def test_channels_open_only_as_the_policy_says(make_bench: MakeBench) -> None:
    bench = await make_bench()
    asked = ("cliprdr", "rdpdr", "rdpsnd", "drdynvc")
    for policy in (Policy(), Policy(clipboard=True)):
        async with await bench.connect(policy=policy, channels=asked):
            pass
        await bench.pipeline.last_end()
    denied, clipboard = (logon.channels for logon in bench.host.logons)
    assert not set(asked) & set(denied)
    assert set(asked) & set(clipboard) == {"cliprdr"}
    assert len(denied) == len(asked), "ids of channels must stay aligned"


def test_drive_and_printer_share_a_channel() -> None:
    assert allowed_channels(Policy(printer=True)) == allowed_channels(Policy(drive=True)) == {"rdpdr"}
    assert allowed_channels(Policy()) == frozenset()


async def test_idle_and_total_limits_end_the_session(make_bench: MakeBench) -> None:
    bench = await make_bench()
    idle = await bench.connect(policy=Policy(idle_limit_s=1))
    await idle.wait_closed()
    assert (await bench.pipeline.last_end()).reason is EndReason.IDLE_LIMIT
    total = await bench.connect(policy=Policy(idle_limit_s=1, total_limit_s=2))
    typing = asyncio.create_task(_keep_typing(total))
    await total.wait_closed()
    typing.cancel()
    assert (await bench.pipeline.last_end()).reason is EndReason.TOTAL_LIMIT


async def _keep_typing(client: RdpClient) -> None:
    while not client.closed:
        await client.type_text("x")
        await asyncio.sleep(0.2)


async def test_stopping_ends_sessions_as_terminated_within_three_seconds(make_bench: MakeBench) -> None:
    bench = await make_bench()
    clients = [await bench.connect() for _ in range(3)]
    began = asyncio.get_running_loop().time()
    await bench.gateway.stop()
    assert asyncio.get_running_loop().time() - began < 3
    assert [end.reason for end in bench.pipeline.ends.values()] == [EndReason.TERMINATED] * 3
    for client in clients:
        await client.wait_closed()
        await client.close()


async def test_the_end_is_reported_again_until_the_pipeline_takes_it(make_bench: MakeBench) -> None:
    bench = await make_bench()
    bench.pipeline.refuse_end = [Unavailable("the pipeline does not answer")]
    async with await bench.connect():
        pass
    assert (await bench.pipeline.last_end()).reason is EndReason.CLIENT_CLOSED


async def test_a_damaged_key_is_named(make_bench: MakeBench) -> None:
    bench = await make_bench()
    await bench.gateway.stop()
    bench.folder.files["tls.pem"] = b"damaged"
    with pytest.raises(Corrupted, match=r"^tls.pem of rdp-controller: .* without the file a new one is made"):
        await bench.gateway.start()


async def test_the_key_is_made_once_and_kept(make_bench: MakeBench) -> None:
    bench = await make_bench()
    await bench.gateway.stop()
    bench.folder.files.clear()
    again = await make_bench()
    first = await again.gateway.endpoint()
    await again.gateway.stop()
    second = await (await make_bench()).gateway.endpoint()
    assert first.fingerprint == second.fingerprint
    assert b"PRIVATE KEY" in again.folder.files["tls.pem"]
