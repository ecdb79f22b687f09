"""Segments are packed ahead, as far as they are closed, and never in the way of the job that asked."""

import asyncio

import pytest

from lucid.base.errors import Corrupted, NotFound
from lucid.base.ids import new_session_id
from lucid.model.frame import FrameSpan
from lucid.recording.sealing import PackedSegment
from lucid.services.session_processor.read_ahead import ReadAhead

SESSION, KEY = new_session_id(), bytes(32)


class Packer:
    """Packs segments 0 to `closed`; `broken` ones do not open."""

    def __init__(self, closed: int) -> None:
        self.closed = closed
        self.broken: set[int] = set()
        self.calls: list[int] = []
        self.changed = asyncio.Condition()

    async def pack(self, data_key: bytes, session: str, number: int, client: bool) -> PackedSegment:
        async with self.changed:
            self.calls.append(number)
            self.changed.notify_all()
        await asyncio.sleep(0)
        if number > self.closed:
            raise NotFound(f"segment {number}")
        if number in self.broken:
            raise Corrupted(f"segment {number}")
        return PackedSegment(FrameSpan(number + 1, 0, 0), 0, b"", True)

    async def called(self, count: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.calls) >= count)


async def test_the_next_segments_are_packed_once() -> None:
    packer = Packer(closed=5)
    ahead = ReadAhead(packer.pack, depth=2, limit=4)
    assert (await ahead.take(KEY, SESSION, 0, client=False)).span.count == 1
    await packer.called(3)
    assert (await ahead.take(KEY, SESSION, 1, client=False)).span.count == 2
    assert (await ahead.take(KEY, SESSION, 2, client=False)).span.count == 3
    await packer.called(5)
    assert sorted(packer.calls) == [0, 1, 2, 3, 4]
    await ahead.close()


async def test_a_segment_that_was_not_closed_yet_is_packed_when_it_is_asked_for() -> None:
    packer = Packer(closed=0)
    ahead = ReadAhead(packer.pack, depth=1, limit=4)
    await ahead.take(KEY, SESSION, 0, client=False)
    await packer.called(2)
    packer.closed = 1
    assert (await ahead.take(KEY, SESSION, 1, client=False)).span.count == 2
    await ahead.close()


async def test_who_asks_for_a_broken_segment_is_told() -> None:
    packer = Packer(closed=3)
    packer.broken = {1}
    ahead = ReadAhead(packer.pack, depth=1, limit=4)
    await ahead.take(KEY, SESSION, 0, client=False)
    await packer.called(2)
    with pytest.raises(Corrupted):
        await ahead.take(KEY, SESSION, 1, client=False)
    await ahead.close()


async def test_sessions_that_are_not_continued_cost_a_bounded_memory() -> None:
    packer = Packer(closed=9)
    ahead = ReadAhead(packer.pack, depth=2, limit=4)
    for _ in range(20):
        await ahead.take(KEY, new_session_id(), 0, client=False)
    assert len(ahead) <= 4
    await ahead.close()


async def test_nothing_is_read_ahead_at_depth_zero() -> None:
    packer = Packer(closed=9)
    ahead = ReadAhead(packer.pack, depth=0, limit=0)
    await ahead.take(KEY, SESSION, 0, client=False)
    await ahead.close()
    assert packer.calls == [0]
