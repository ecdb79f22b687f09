"""Pools: the least loaded host is taken, fairly, and also when many ask at once."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import NotFound
from lucid.model.host import Host, HostAccess
from lucid.services.rdp_server_manager.pools import Pools
from tests.clocks import TurnedClock
from tests.services.rdp_server_manager.manager_kit import TIME, FakeSessions

HOSTS = [Host(name=name, address="192.0.2.7", pool="pcs", added=TIME) for name in ("a", "b", "c")]


def pools(sessions: FakeSessions, clock: TurnedClock | None = None) -> Pools:
    return Pools(pipeline=sessions, clock=clock or TurnedClock(), hold_s=120.0)  # type: ignore[arg-type]


async def test_the_host_with_the_fewest_sessions_is_taken() -> None:
    sessions = FakeSessions()
    for host in "aab":
        sessions.begin(host)
    assert (await pools(sessions).assign(HOSTS, "pcs", None, None)).name == "c"


async def test_who_asks_at_once_is_spread_evenly() -> None:
    chosen = await asyncio.gather(*(every.assign(HOSTS, "pcs", None, None) for every in [pools(FakeSessions())] * 30))
    assert Counter(host.name for host in chosen) == {"a": 10, "b": 10, "c": 10}


async def test_an_assignment_counts_until_its_session_is_seen() -> None:
    sessions = FakeSessions()
    some = pools(sessions)
    assert (await some.assign(HOSTS[:1], "pcs", None, None)).name == "a"
    assert (await some.loads())["a"] == 1
    session = sessions.begin("a")
    assert (await some.loads())["a"] == 1
    sessions.end(session)
    assert (await some.loads())["a"] == 0


async def test_an_assignment_that_nobody_uses_is_forgotten() -> None:
    clock = TurnedClock()
    some = pools(FakeSessions(), clock)
    await some.assign(HOSTS[:1], "pcs", None, None)
    clock.advance(121)
    assert (await some.loads())["a"] == 0


async def test_only_hosts_that_admit_the_person_are_taken() -> None:
    access = HostAccess(users=("ada",), roles=())
    hosts = [*HOSTS, Host(name="z", address="192.0.2.8", pool="pcs", access=access, added=TIME)]
    some = pools(FakeSessions())
    assert {(await some.assign(hosts, "pcs", "ada", "user")).name for _ in range(4)} == {"z"}
    assert {(await some.assign(hosts, "pcs", "root", "admin")).name for _ in range(6)} == {"a", "b", "c"}
    with pytest.raises(NotFound):
        await some.assign(hosts, "pcs", "bob", "user")
    with pytest.raises(NotFound):
        await some.assign(hosts, "attic", None, None)


@given(st.lists(st.sampled_from(["assign", "begin", "end"]), max_size=40))
def test_loads_never_drift_apart(steps: list[str]) -> None:
    """Whatever order things come in, hosts that were only reached through the pool differ by what has ended there."""

    async def run() -> None:
        sessions = FakeSessions()
        some = pools(sessions)
        waiting: list[str] = []
        running: list[tuple[str, str]] = []
        for step in steps:
            if step == "assign":
                loads = await some.loads()
                chosen = (await some.assign(HOSTS, "pcs", None, None)).name
                assert loads[chosen] == min(loads[host.name] for host in HOSTS)
                waiting.append(chosen)
            elif step == "begin" and waiting:
                host = waiting.pop(0)
                running.append((host, sessions.begin(host)))
                await some.loads()
            elif step == "end" and running:
                sessions.end(running.pop(0)[1])
        expected = Counter(waiting) + Counter(host for host, _ in running)
        assert +(await some.loads()) == expected

    asyncio.run(run())
