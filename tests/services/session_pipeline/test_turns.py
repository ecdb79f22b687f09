import asyncio

import pytest

from lucid.services.session_pipeline.turns import Turns


@pytest.fixture
def turns() -> Turns:
    turns = Turns()
    for session in ("a", "b", "c"):
        turns.enter(session)
    return turns


async def waits(turns: Turns, session: str) -> bool:
    try:
        await asyncio.wait_for(turns.wait(session), 0.01)
    except TimeoutError:
        return True
    return False


async def test_the_lowest_number_goes_first(turns: Turns) -> None:
    for session, number in (("a", 3), ("b", 1), ("c", 2)):
        turns.number(session, number)
    assert [await waits(turns, session) for session in "abc"] == [True, False, True]
    turns.leave("b")
    assert [await waits(turns, session) for session in "ac"] == [True, False]


async def test_one_without_a_number_holds_up_all(turns: Turns) -> None:
    turns.number("a", 1)
    turns.number("b", 2)
    assert await waits(turns, "a")
    waiting = asyncio.create_task(turns.wait("a"))
    await asyncio.sleep(0)
    turns.leave("c")
    await asyncio.wait_for(waiting, 1)


async def test_an_abandoned_opening_blocks_until_it_has_left(turns: Turns) -> None:
    assert not turns.blocked
    turns.abandon("a")
    assert turns.blocked
    turns.leave("a")
    assert not turns.blocked
    turns.abandon("a")
    assert not turns.blocked
