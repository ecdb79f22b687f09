"""Background tasks have an owner."""

import asyncio

import pytest

from lucid.base.tasks import Tasks


async def test_closing_cancels_and_awaits() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks = Tasks("test")
    tasks.spawn(work(), name="forever")
    await asyncio.sleep(0)
    await tasks.close()
    assert ended.is_set()
    assert len(tasks) == 0


async def test_a_failure_is_shown_once() -> None:
    async def work() -> None:
        raise ValueError("boom")

    tasks = Tasks("test")
    task = tasks.spawn(work(), name="bad")
    await asyncio.wait({task})
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="boom"):
        tasks.check()
    tasks.check()


async def test_the_first_failure_is_the_one_shown() -> None:
    async def work(why: str) -> None:
        raise ValueError(why)

    tasks = Tasks("test")
    for why in ("cause", "consequence"):
        await asyncio.wait({tasks.spawn(work(why), name=why)})
    with pytest.raises(ValueError, match="cause"):
        tasks.check()
