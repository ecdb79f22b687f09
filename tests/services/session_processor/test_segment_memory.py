import asyncio

from lucid.services.session_processor.memory import SegmentMemory


async def test_what_comes_back_is_lent_again_if_it_is_long_enough() -> None:
    memory = SegmentMemory()
    first = memory.take(1000)
    assert len(memory.take(1000)) == 1000
    memory.give_back(first)
    assert memory.take(10) is first
    memory.give_back(first)
    longer = memory.take(1001)
    assert longer is not first
    assert len(longer) == 1001
    assert len(memory) == 0
    memory.give_back(first, longer)
    assert len(memory) == 2


async def test_it_is_not_kept_for_long() -> None:
    memory = SegmentMemory(keep_s=0.01)
    memory.give_back(memory.take(1000))
    assert len(memory) == 1
    await asyncio.sleep(0.02)  # a timer that is due later, so it comes later
    assert len(memory) == 0
