import asyncio
import errno
import mmap

import psutil
import pytest

from lucid.services.session_processor.memory import SegmentMemory


async def test_what_comes_back_is_lent_again_if_it_is_long_enough() -> None:
    memory = SegmentMemory()
    first = memory.take()
    assert memory.take(1000) is not first
    memory.give_back(first)
    assert memory.take(len(first)) is first
    memory.give_back(first)
    longer = memory.take(len(first) + 1)
    assert longer is not first
    assert len(longer) == len(first) + 1
    assert len(memory) == 0
    memory.give_back(first, longer)
    assert len(memory) == 2


async def test_what_is_lent_and_not_written_to_takes_no_memory() -> None:
    memory = SegmentMemory()
    before = psutil.Process().memory_info().rss
    pieces = [memory.take() for _ in range(20)]
    assert sum(map(len, pieces)) > 200_000_000
    assert psutil.Process().memory_info().rss - before < 20_000_000


async def test_a_kernel_without_larger_pages_lends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Small)
    memory = SegmentMemory().take(1000)
    memory[:3] = b"abc"
    assert len(memory) >= 1000


async def test_it_is_not_kept_for_long() -> None:
    memory = SegmentMemory(keep_s=0.01)
    memory.give_back(memory.take(1000))
    assert len(memory) == 1
    await asyncio.sleep(0.02)  # a timer that is due later, so it comes later
    assert len(memory) == 0
