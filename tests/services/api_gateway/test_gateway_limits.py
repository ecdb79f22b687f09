"""Counting when Redis answers, when it does not, and when it is slow; and which instance is asked."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lucid.base.errors import Unavailable
from lucid.ports.registry import Instance
from lucid.ports.stores import Allowance, Hit
from lucid.services.api_gateway.instances import Pool
from lucid.services.api_gateway.limits import Limits, LocalLimits
from tests.clocks import TurnedClock
from tests.services.api_gateway.gateway_kit import MemoryBus
from tests.waiting import until


class SlowBus(MemoryBus):
    """Answers when it is told to."""

    def __init__(self, clock: TurnedClock) -> None:
        super().__init__(clock)
        self.go = asyncio.Event()
        self.asked = 0

    async def hits(self, hits: Sequence[Hit]) -> list[Allowance]:
        self.asked += 1
        await self.go.wait()
        return await super().hits(hits)


async def test_what_comes_during_a_round_trip_shares_the_next() -> None:
    bus = SlowBus(TurnedClock())
    limits = Limits(bus, TurnedClock(), timeout_s=5)
    waiting = [asyncio.create_task(limits.spend([Hit(f"k{number}", 1, 60)])) for number in range(10)]
    await until(lambda: bus.asked == 1)
    waiting += [asyncio.create_task(limits.spend([Hit("k0", 1, 60), Hit("other", 1, 60)])) for _ in range(10)]
    await asyncio.sleep(0)
    bus.go.set()
    answers = await asyncio.gather(*waiting)
    assert bus.batches == [10, 20]
    assert [len(answer) for answer in answers] == [1] * 10 + [2] * 10
    assert [answer[0].wait_s > 0 for answer in answers] == [False] * 10 + [True] * 10
    assert [answer[1].wait_s > 0 for answer in answers[10:]] == [False] + [True] * 9
    await limits.stop()


async def test_a_slow_redis_holds_nobody_up() -> None:
    clock = TurnedClock()
    bus = SlowBus(clock)
    limits = Limits(bus, clock, timeout_s=0.02)
    with capture_logs() as logs:
        for number in range(5):
            (allowance,) = await limits.spend([Hit("key", 3, 60)])
            assert (allowance.wait_s > 0) == (number >= 3)
    assert bus.asked == 1, "it was not left alone for a while"
    assert len(logs) == 1
    bus.go.set()
    clock.advance(2)
    assert (await limits.spend([Hit("key", 3, 60)]))[0].wait_s == 0
    assert bus.asked == 2
    await limits.stop()


async def test_a_caller_that_leaves_takes_nobody_with_it() -> None:
    bus = SlowBus(TurnedClock())
    limits = Limits(bus, TurnedClock(), timeout_s=5)
    leaving, staying = (asyncio.create_task(limits.spend([Hit(key, 1, 60)])) for key in "ab")
    await asyncio.sleep(0)
    leaving.cancel()
    bus.go.set()
    assert (await staying)[0].wait_s == 0
    await limits.stop()


@given(st.integers(1, 50), st.floats(0.1, 100), st.lists(st.floats(0, 5), max_size=200))
def test_a_local_limit_never_allows_more_than_it_refills(limit: int, window_s: float, pauses: list[float]) -> None:
    clock = TurnedClock()
    limits, began, allowed = LocalLimits(clock), clock.monotonic(), 0
    for pause in pauses:
        clock.advance(pause)
        (allowance,) = limits.hits([Hit("key", limit, window_s)])
        allowed += allowance.wait_s == 0
        elapsed = clock.monotonic() - began
        assert allowed <= limit + elapsed * limit / window_s + 1e-3
        if allowance.wait_s:
            assert allowance.left == 0
            assert allowance.wait_s <= window_s / limit + 1e-3


def test_a_local_limit_allows_the_hit_when_it_said() -> None:
    clock = TurnedClock()
    limits = LocalLimits(clock)
    assert [limits.hits([Hit("key", 3, 60)])[0].left for _ in range(3)] == [2, 1, 0]
    wait_s = limits.hits([Hit("key", 3, 60)])[0].wait_s
    assert wait_s == pytest.approx(20)
    clock.advance(wait_s)
    assert limits.hits([Hit("key", 3, 60)])[0].wait_s == 0


def instance(number: int) -> Instance:
    return Instance(service="s", id=f"i{number}", address="127.0.0.1", port=number)


def pool(clock: TurnedClock, count: int) -> Pool:
    made = Pool("s", clock, failures=2, open_s=5)
    made.set(instance(number) for number in range(1, count + 1))
    return made


def test_the_least_busy_instance_is_asked_in_turn() -> None:
    instances = pool(TurnedClock(), 3)
    targets = [instances.choose() for _ in range(3)]
    assert len(set(targets)) == 3
    targets[0].begin()
    targets[1].begin()
    assert {instances.choose() for _ in range(6)} == {targets[2]}
    assert instances.choose(but=[targets[2]]) in targets[:2]


def test_a_circuit_opens_lets_one_try_and_closes() -> None:
    clock = TurnedClock()
    instances = pool(clock, 1)
    target = instances.choose()
    for _ in range(2):
        target.begin()
        target.end(answered=False)
    with pytest.raises(Unavailable) as caught:
        instances.choose()
    assert caught.value.retry_after_s == pytest.approx(5)
    clock.advance(5.1)
    instances.choose().begin()
    with pytest.raises(Unavailable):
        instances.choose()  # one probe at a time
    target.end(answered=False)
    with pytest.raises(Unavailable):
        instances.choose()
    clock.advance(5.1)
    instances.choose().begin()
    target.end(answered=True)
    assert instances.choose() is instances.choose()


def test_a_client_that_leaves_says_nothing_about_the_instance() -> None:
    instances = pool(TurnedClock(), 1)
    for _ in range(5):
        target = instances.choose()
        target.begin()
        target.end(answered=None)
    assert instances.choose().running == 0


def test_instances_that_stay_keep_their_state() -> None:
    instances = pool(TurnedClock(), 1)
    target = instances.choose()
    (new,) = instances.set([instance(1), instance(2)])
    assert new.instance.id == "i2"
    assert instances.holds(target)
    (changed,) = instances.set([instance(2), instance(1).model_copy(update={"version": "2"})])
    assert changed is not target
    assert not instances.holds(target)
