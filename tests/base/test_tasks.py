"""Background tasks have an owner."""

import asyncio

import pytest
import structlog

from lucid.base.tasks import Tasks, to_the_end


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


async def test_what_is_awaited_to_the_end_outlives_its_caller() -> None:
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        ended.set()
        return "done"

    caller = asyncio.create_task(to_the_end(work()))
    other = asyncio.create_task(to_the_end(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not ended.is_set()
    go_on.set()
    assert await other == "done"
    await ended.wait()


async def test_a_failure_after_the_caller_has_gone_is_logged_and_one_before_is_raised() -> None:
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        raise ValueError("boom")

    with structlog.testing.capture_logs() as log:
        caller = asyncio.create_task(to_the_end(work()))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        go_on.set()
        with pytest.raises(ValueError, match="boom"):
            await to_the_end(work())
        await asyncio.sleep(0)
    (entry,) = log
    assert entry["event"] == "failed after its caller had gone"
    assert str(entry["exc_info"]) == "boom"
