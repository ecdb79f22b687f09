"""Who asks often is counted ahead: with few round trips, and never beyond the limit."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from lucid.ports.stores import Allowance, Hit
from lucid.services.api_gateway.leases import LEASE_S, MOST, SHARE, Leases
from lucid.services.api_gateway.limits import Limits, LocalLimits
from tests.clocks import TurnedClock
from tests.services.api_gateway.gateway_kit import MemoryBus

HOUR_S = 3600.0


def gateways(count: int) -> tuple[TurnedClock, MemoryBus, list[Limits]]:
    """Some that count in one Redis."""
    clock = TurnedClock()
    bus = MemoryBus(clock)
    return clock, bus, [Limits(bus, clock, timeout_s=5) for _ in range(count)]


async def allowed(limits: Limits, hits: Sequence[Hit], times: int) -> list[Allowance]:
    """The answers to requests of one after the other that were allowed."""
    answers = [await limits.spend(hits) for _ in range(times)]
    return [answer[0] for answer in answers if not any(each.wait_s for each in answer)]


async def test_who_asks_often_needs_few_round_trips_and_is_told_what_is_left() -> None:
    _, bus, (limits,) = gateways(1)
    answers = await allowed(limits, [Hit("user", 10_000, HOUR_S), Hit("token", 5_000, HOUR_S)], 500)
    assert [answer.left for answer in answers] == list(range(9_999, 9_499, -1))
    assert len(bus.batches) < 20
    await limits.stop()


async def test_small_limits_are_counted_one_by_one() -> None:
    _, bus, (limits,) = gateways(1)
    assert len(await allowed(limits, [Hit("login", SHARE, HOUR_S)], SHARE + 5)) == SHARE
    assert len(bus.batches) == SHARE + 5
    await limits.stop()


async def test_gateways_together_never_allow_more_than_the_limit_and_lose_little() -> None:
    limit = 1_000
    _, _, several = gateways(3)
    hits = [Hit("user", limit, 1e9)]
    answers = await asyncio.gather(*(allowed(limits, hits, limit) for limits in several))
    assert limit - len(several) * MOST <= sum(map(len, answers)) <= limit
    await asyncio.gather(*(limits.stop() for limits in several))


async def test_what_is_counted_ahead_is_not_used_later_and_who_asks_seldom_has_nothing_counted_ahead() -> None:
    clock, bus, (limits,) = gateways(1)
    hits = [Hit("user", 1_000, HOUR_S)]
    await allowed(limits, hits, 100)
    trips = len(bus.batches)
    clock.advance(LEASE_S)
    await limits.spend(hits)
    assert len(bus.batches) == trips + 1
    for _ in range(10):
        clock.advance(LEASE_S)
        left = (await limits.spend(hits))[0].left
        assert (await bus.hits([Hit("user", 1_000, HOUR_S)]))[0].left == left - 1
    await limits.stop()


async def test_one_limit_that_is_used_up_refuses_although_others_are_counted_ahead() -> None:
    _, _, (limits,) = gateways(1)
    often, seldom = Hit("user", 10_000, HOUR_S), Hit("token", 50, HOUR_S)
    assert len(await allowed(limits, [often, seldom], 200)) == 50
    await limits.stop()


@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 2)), max_size=300),
)
def test_whatever_the_gateways_do_no_more_is_allowed_than_the_limit_and_what_it_refills(
    limit: int, steps: list[tuple[int, float]]
) -> None:
    clock = TurnedClock()
    redis = LocalLimits(clock)
    several = [Leases(clock) for _ in range(3)]
    hit = Hit("key", limit, 60.0)
    used, began = 0, clock.monotonic()
    for number, pause_s in steps:
        leases = several[number]
        if leases.use([hit]) is None:
            asked = Hit("key", limit, 60.0, leases.wanted(hit))
            (counted,) = redis.hits([asked])
            used += leases.keep(asked, counted).wait_s == 0
        else:
            used += 1
        assert used <= limit + limit * (clock.monotonic() - began) / 60.0 + 1e-3
        clock.advance(pause_s)
