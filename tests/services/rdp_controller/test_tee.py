"""When frames are handed on: sessions at the same few moments, no frame later than the interval."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, cast

from lucid.model.frame import Direction, decode_frames
from lucid.ports.recording import Recorder
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.services.rdp_controller.tee import FlushClock, Tee
from tests.waiting import until


class _Recorder:
    """Keeps what each session appends, and when; an append takes `takes_s`."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.calls: list[tuple[float, str, bytes]] = []
        self._takes_s = takes_s

    async def append(self, *, session: str, frames: bytes | memoryview) -> None:
        self.calls.append((asyncio.get_running_loop().time(), session, bytes(frames)))
        await asyncio.sleep(self._takes_s)

    def data(self, session: str) -> bytes:
        return b"".join(frame.data for _, of, frames in self.calls if of == session for frame in decode_frames(frames))


def tee(
    recorder: _Recorder,
    session: str = "s",
    clock: FlushClock | None = None,
    failed: Callable[[str], None] = lambda why: None,
    **settings: Any,
) -> Tee:
    values = RdpControllerSettings(**settings)
    return Tee(
        values,
        clock=clock or FlushClock(values.flush_ms / 1000),
        recorder=cast(Recorder, recorder),
        session=session,
        full=lambda full: None,
        failed=failed,
    )


async def test_sessions_hand_on_at_the_same_moments() -> None:
    recorder, clock = _Recorder(), FlushClock(0.15)
    tees = [tee(recorder, str(number), clock) for number in range(6)]
    runs = []
    for each in tees:
        runs.append(asyncio.create_task(each.run()))
        await asyncio.sleep(0.005)
    added = asyncio.get_running_loop().time()
    for each in tees:
        each.add(Direction.SERVER_TO_CLIENT, b"x")
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.17)
    moments = sorted(at for at, _, frames in recorder.calls if frames)
    assert len(moments) == 6
    assert moments[-1] - moments[0] < 0.01
    assert moments[-1] - added < 0.18
    for each in tees:
        each.finish()
    await asyncio.gather(*runs)


async def test_frames_of_a_long_append_follow_in_the_next() -> None:
    recorder = _Recorder(takes_s=0.05)
    one = tee(recorder, flush_ms=10)
    run = asyncio.create_task(one.run())
    for number in range(40):
        one.add(Direction.SERVER_TO_CLIENT, bytes([number]))
        await asyncio.sleep(0.005)
    one.finish()
    await run
    assert recorder.data("s") == bytes(range(40))
    starts = [at for at, _, _ in recorder.calls]
    assert all(later - earlier > 0.045 for earlier, later in itertools.pairwise(starts))


async def test_much_is_handed_on_at_once() -> None:
    recorder = _Recorder()
    one = tee(recorder, flush_ms=200, flush_bytes=65_536)
    run = asyncio.create_task(one.run())
    for _ in range(2):
        one.add(Direction.SERVER_TO_CLIENT, bytes(70_000))
        await asyncio.sleep(0.01)
    assert [len(frames) for _, _, frames in recorder.calls] == [70_013, 70_013]
    one.finish()
    await run


async def test_what_is_put_into_the_room_is_a_frame() -> None:
    recorder = _Recorder()
    one = tee(recorder, flush_ms=10)
    run = asyncio.create_task(one.run())
    for size in (1, 70_000, 300_000):
        one.add(Direction.CLIENT_TO_SERVER, b"added")
        one.room(size)[:size] = bytes([size % 251]) * size
        one.keep(Direction.SERVER_TO_CLIENT, size)
    one.finish()
    await run
    frames = [(frame.direction, frame.data) for _, _, encoded in recorder.calls for frame in decode_frames(encoded)]
    assert frames[::2] == [(Direction.CLIENT_TO_SERVER, b"added")] * 3
    assert frames[1::2] == [(Direction.SERVER_TO_CLIENT, bytes([size % 251]) * size) for size in (1, 70_000, 300_000)]


async def test_there_is_always_room_for_what_tls_gives_at_once() -> None:
    one = tee(_Recorder())
    for _ in range(100):
        assert len(one.room()) >= 65_536
        one.keep(Direction.SERVER_TO_CLIENT, 10_000)


async def test_frames_on_their_way_are_left_alone() -> None:
    views = list[memoryview]()

    class Slow(_Recorder):
        async def append(self, *, session: str, frames: bytes | memoryview) -> None:
            views.append(memoryview(frames))
            before = bytes(frames)
            await asyncio.sleep(0.05)
            assert frames == before
            await super().append(session=session, frames=frames)

    recorder = Slow()
    one = tee(recorder, flush_ms=10)
    run = asyncio.create_task(one.run())
    for number in range(60):
        one.add(Direction.SERVER_TO_CLIENT, bytes([number]) * 10_000)
        await asyncio.sleep(0.003)
    one.finish()
    await run
    assert len(views) > 2
    assert recorder.data("s") == b"".join(bytes([number]) * 10_000 for number in range(60))


async def test_an_append_that_takes_too_long_ends_the_recording() -> None:
    recorder, failures = _Recorder(takes_s=30), list[str]()
    one = tee(recorder, failed=failures.append, flush_ms=10, append_limit_s=0.1)
    one.add(Direction.SERVER_TO_CLIENT, b"x")
    async with asyncio.timeout(5):
        await one.run()
    assert failures == ["frames were not durable within 0.1 s"]
    assert len(recorder.calls) == 1


async def test_a_cancelled_tee_is_cancelled() -> None:
    recorder, failures = _Recorder(takes_s=30), list[str]()
    one = tee(recorder, failed=failures.append, flush_ms=10)
    one.add(Direction.SERVER_TO_CLIENT, b"x")
    run = asyncio.create_task(one.run())
    await until(lambda: recorder.calls)
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert failures == []


async def test_the_clock_stands_still_without_sessions() -> None:
    clock = FlushClock(0.01)
    one = tee(_Recorder(), clock=clock)
    run = asyncio.create_task(one.run())
    await asyncio.sleep(0.03)
    assert clock._timer is not None
    one.finish()
    await run
    assert clock._timer is None


async def test_without_frames_the_recorder_hears_of_the_session() -> None:
    recorder = _Recorder()
    one = tee(recorder, heartbeat_s=0.05, flush_ms=10)
    run = asyncio.create_task(one.run())
    await asyncio.sleep(0.28)
    assert 3 <= len(recorder.calls) <= 6
    one.finish()
    await run
    calls = len(recorder.calls)
    await asyncio.sleep(0.1)
    assert len(recorder.calls) == calls
