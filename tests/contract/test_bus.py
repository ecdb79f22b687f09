"""The contract of the port Bus, against Valkey as a child process, and that child's life."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lucid.base.errors import InvalidInput, Unavailable
from lucid.base.secret import Secret
from lucid.drivers.redis import bus as bus_driver
from lucid.drivers.redis import valkey as valkey_driver
from lucid.drivers.redis.bus import RedisBus
from lucid.drivers.redis.valkey import Valkey
from lucid.ports.stores import Hit
from tests.waiting import until


@pytest.fixture
async def bus(valkey: Valkey) -> AsyncIterator[RedisBus]:
    bus = RedisBus(valkey.url)
    yield bus
    await bus.aclose()


@pytest.fixture
async def other(valkey: Valkey) -> AsyncIterator[RedisBus]:
    """A second client of the same server."""
    bus = RedisBus(valkey.url)
    yield bus
    await bus.aclose()


async def test_events_are_read_from_the_oldest_in_order(bus: RedisBus, other: RedisBus) -> None:
    bodies = [{"n": n, "text": "Grüße", "nested": {"list": [None, True, 0.5]}} for n in range(5)]
    positions = [await bus.publish("topic", body) for body in bodies]
    events = await other.read("topic", after="0")
    assert [event.body for event in events] == bodies
    assert [event.position for event in events] == positions
    assert {event.topic for event in events} == {"topic"}


async def test_reading_continues_behind_a_position(bus: RedisBus) -> None:
    positions = [await bus.publish("topic", {"n": n}) for n in range(5)]
    assert [event.body["n"] for event in await bus.read("topic", after=positions[1])] == [2, 3, 4]
    assert [event.body["n"] for event in await bus.read("topic", after="0", limit=2)] == [0, 1]
    assert await bus.read("topic", after=positions[4], wait_s=0) == []


@pytest.mark.parametrize("body", [{"n": float("nan")}, {"b": b""}, [1]])
async def test_what_json_cannot_hold_is_refused(bus: RedisBus, body: Any) -> None:
    with pytest.raises(InvalidInput):
        await bus.publish("topic", body)


async def test_topics_are_apart(bus: RedisBus) -> None:
    await bus.publish("a", {"n": 1})
    assert await bus.read("b", after="0", wait_s=0) == []


async def test_a_waiting_reader_gets_what_comes_from_now_on(bus: RedisBus, other: RedisBus) -> None:
    await bus.publish("topic", {"n": "before"})
    reading = asyncio.create_task(other.read("topic", wait_s=5))
    while not reading.done():  # the reader begins to wait at a moment we cannot see
        await bus.publish("topic", {"n": "after"})
        await asyncio.sleep(0.01)
    assert {event.body["n"] for event in await reading} == {"after"}


async def test_a_wait_without_events_ends_in_time(bus: RedisBus) -> None:
    began = time.monotonic()
    assert await bus.read("topic", wait_s=0.2) == []
    assert 0.15 < time.monotonic() - began < 2
    assert await bus.read("topic", wait_s=0) == []
    assert await bus.read("topic", wait_s=0.0001) == []


async def test_many_readers_wait_at_once(bus: RedisBus) -> None:
    position = await bus.publish("topic", {})
    readers = [asyncio.create_task(bus.read("topic", after=position, wait_s=10)) for _ in range(100)]
    await bus.publish("topic", {"n": 1})
    assert all(len(events) == 1 for events in await asyncio.gather(*readers))


async def test_a_cancelled_reader_leaves_the_bus_in_order(bus: RedisBus) -> None:
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bus.read("silent", wait_s=5), 0.05)
    await bus.publish("topic", {"n": 1})
    assert [event.topic for event in await bus.read("topic", after="0")] == ["topic"]


async def test_a_topic_is_bounded(bus: RedisBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_driver, "KEPT_EVENTS", 200)
    await asyncio.gather(*(bus.publish("topic", {"n": n}) for n in range(1000)))
    assert 200 <= len(await bus.read("topic", after="0", limit=2000)) <= 400


async def test_a_limit_allows_so_many_hits_and_says_when_the_next(bus: RedisBus) -> None:
    assert [await bus.hit("key", limit=3, window_s=60) for _ in range(3)] == [0, 0, 0]
    assert 55 < await bus.hit("key", limit=3, window_s=60) <= 60
    assert await bus.hit("other", limit=3, window_s=60) == 0


async def test_a_limit_slides(bus: RedisBus) -> None:
    assert [await bus.hit("key", limit=2, window_s=0.3) for _ in range(2)] == [0, 0]
    wait_s = await bus.hit("key", limit=2, window_s=0.3)
    assert 0 < wait_s <= 0.3
    await asyncio.sleep(wait_s + 0.001)
    assert await bus.hit("key", limit=2, window_s=0.3) == 0


async def test_refused_hits_do_not_lengthen_the_wait(bus: RedisBus) -> None:
    await bus.hit("key", limit=1, window_s=0.3)
    waits = [await bus.hit("key", limit=1, window_s=0.3) for _ in range(10)]
    assert waits == sorted(waits, reverse=True)


async def test_a_limit_of_nothing_allows_nothing(bus: RedisBus) -> None:
    assert await bus.hit("key", limit=0, window_s=7) == 7


async def test_a_limit_holds_across_clients(bus: RedisBus, other: RedisBus) -> None:
    hits = [client.hit("key", limit=10, window_s=60) for _ in range(50) for client in (bus, other)]
    assert sum(wait_s == 0 for wait_s in await asyncio.gather(*hits)) == 10


async def test_a_clock_set_back_locks_nobody_out(bus: RedisBus, valkey: Valkey) -> None:
    ahead = (time.time() + 3600) * 1_000_000
    async with Redis.from_url(valkey.url.reveal()) as redis:
        await redis.zadd("lucid:limit:key", {"a": ahead, "b": ahead + 1})
    assert await bus.hit("key", limit=2, window_s=60) == 0


async def test_a_limit_is_forgotten_after_its_window(bus: RedisBus, valkey: Valkey) -> None:
    await bus.hit("key", limit=5, window_s=50)
    async with Redis.from_url(valkey.url.reveal()) as redis:
        assert 0 < await redis.pttl("lucid:limit:key") <= 50_000


async def test_many_limits_in_one_round_trip(bus: RedisBus) -> None:
    hits = [Hit("a", 2, 60), Hit("b", 1, 60), Hit("a", 2, 60), Hit("b", 1, 60), Hit("a", 2, 60)]
    answers = await bus.hits(hits)
    assert [answer.wait_s > 0 for answer in answers] == [False, False, False, True, True]
    assert [answer.left for answer in answers] == [1, 0, 0, 0, 0]
    assert 29 < answers[4].wait_s <= 30
    assert 59 < answers[3].wait_s <= 60
    assert 59 < answers[4].whole_s <= 60
    assert await bus.hits([]) == []


async def test_spare_hits_are_counted_with_one_that_is_allowed_as_far_as_the_limit_goes(bus: RedisBus) -> None:
    hits = [Hit("a", 10, 60, spare=4), Hit("a", 10, 60), Hit("a", 10, 60, spare=9), Hit("a", 10, 60, spare=9)]
    answers = await bus.hits(hits)
    assert [(answer.left, answer.spare) for answer in answers] == [(5, 4), (4, 0), (0, 3), (0, 0)]
    assert [answer.wait_s > 0 for answer in answers] == [False, False, False, True]
    assert 59 < answers[2].whole_s <= 60


async def test_a_refilling_limit_allows_the_next_hit_when_it_said(bus: RedisBus) -> None:
    hit = Hit("key", 2, 0.4)
    assert [(await bus.hits([hit]))[0].wait_s for _ in range(2)] == [0, 0]
    waits = [(await bus.hits([hit]))[0].wait_s for _ in range(5)]
    assert waits == sorted(waits, reverse=True), "refused hits lengthen the wait"
    assert 0 < waits[-1] <= 0.2
    await asyncio.sleep(waits[-1] + 0.001)
    assert (await bus.hits([hit]))[0].wait_s == 0


async def test_a_refilling_limit_holds_across_clients(bus: RedisBus, other: RedisBus) -> None:
    hits = [client.hits([Hit("key", 10, 600)] * 5) for _ in range(10) for client in (bus, other)]
    answers = [answer for batch in await asyncio.gather(*hits) for answer in batch]
    assert sum(answer.wait_s == 0 for answer in answers) == 10


async def test_a_refilling_limit_survives_a_clock_set_back_and_is_forgotten(bus: RedisBus, valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url.reveal()) as redis:
        await redis.set("lucid:rate:key", f"{(time.time() + 3600) * 1_000_000:.0f}")
        assert (await bus.hits([Hit("key", 10, 1)]))[0].wait_s <= 0.1
        await bus.hits([Hit("other", 10, 50)])
        assert 0 < await redis.pttl("lucid:rate:other") <= 5_001


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    bus = RedisBus(Secret(f"unix://:hunter2@{tmp_path}/none.sock"))
    with pytest.raises(Unavailable) as caught:
        await bus.publish("topic", {})
    assert "hunter2" not in caught.value.detail
    await bus.aclose()


async def test_a_server_that_hangs_is_unavailable(
    bus: RedisBus, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.publish("topic", {})
    monkeypatch.setattr(bus_driver, "ANSWER_LIMIT_S", 0.2)
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await bus.publish("topic", {})
        with pytest.raises(Unavailable):
            await bus.read("topic", wait_s=0.1)
    finally:
        os.kill(valkey.pid, signal.SIGCONT)


async def test_calls_go_on_after_valkey_died(bus: RedisBus, valkey: Valkey) -> None:
    await bus.publish("topic", {"n": 1})
    first = valkey.pid
    os.kill(first, signal.SIGKILL)
    await bus.publish("topic", {"n": 2})
    assert valkey.pid != first
    assert [event.body["n"] for event in await bus.read("topic", after="0")] == [2]


def texts_below(folder: Path) -> list[str]:
    return [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]


def mode_of(path: str) -> int:
    return Path(path).stat().st_mode & 0o777


async def test_the_password_is_in_no_argument_environment_or_file(valkey: Valkey, tmp_path: Path) -> None:
    password = urlsplit(valkey.url.reveal()).password or ""
    assert len(password) == 64
    process = psutil.Process(valkey.pid)
    assert not any(password in text for text in [*process.cmdline(), *process.environ().values()])
    assert not any(password in text for text in texts_below(tmp_path))
    assert password not in repr(valkey.url)


async def test_only_the_password_opens_it_and_no_port_is_open(valkey: Valkey) -> None:
    path = urlsplit(valkey.url.reveal()).path
    for address in (f"unix://{path}", f"unix://:wrong@{path}"):
        async with Redis.from_url(address) as redis:
            with pytest.raises(RedisError, match=r"WRONGPASS|already authenticated|invalid username"):
                await redis.get("key")
    assert mode_of(path) == 0o600
    assert psutil.Process(valkey.pid).net_connections(kind="inet") == []


async def test_stop_leaves_nothing(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path / "valkey")
    began = time.monotonic()
    await valkey.start()
    assert time.monotonic() - began < 2  # 65 ms on a quiet machine
    pid = valkey.pid
    await valkey.stop()
    assert not psutil.pid_exists(pid)
    assert list((tmp_path / "valkey").iterdir()) == []
    with pytest.raises(Unavailable):
        _ = valkey.pid


@pytest.mark.parametrize("name", ["long" * 30, "with space", '"quoted"', "%41#?ü"])
async def test_no_folder_name_is_a_hindrance(tmp_path: Path, name: str) -> None:
    valkey = Valkey(tmp_path / name)
    await valkey.start()
    bus = RedisBus(valkey.url)
    await bus.publish("topic", {})
    await bus.aclose()
    await valkey.stop()


async def test_its_folder_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    valkey = Valkey(Path("data") / "valkey")
    await valkey.start()
    monkeypatch.chdir("/")
    bus = RedisBus(valkey.url)
    assert await bus.publish("topic", {})
    await bus.aclose()
    await valkey.stop()


async def test_a_valkey_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_driver, "MEMORY_MIB", "many")
    with pytest.raises(Unavailable, match="argument"):
        await Valkey(tmp_path / "valkey").start()


PARENT = """
import asyncio, sys
from pathlib import Path
from lucid.drivers.redis.valkey import Valkey
from lucid.ports.stores import Hit

async def main():
    valkey = Valkey(Path(sys.argv[1]))
    await valkey.start()
    print(valkey.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_valkey_dies_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "valkey")]
    parent = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
