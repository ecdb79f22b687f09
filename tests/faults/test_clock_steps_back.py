"""The wall clock steps back while sessions run: they are proven all the same, and no time decreases."""

import asyncio
from pathlib import Path

from lucid.base.clock import SystemClock, shift_time
from lucid.crypto.note import split_note
from lucid.model.entry import LogEntry
from lucid.model.tlog import Block
from lucid.ports.log import LogStore
from lucid.ports.recording import Pipeline
from lucid.runtime.export import PortSource
from tests.faults.conftest import platform_on
from tests.faults.marked import marked_pictures
from tests.faults.proof import proven, verified
from tests.flow.conftest import connect, desktop


class TurnableClock:
    """The machine's clock, whose hands somebody turns."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self.ahead_s = 0.0

    def now(self) -> str:
        return shift_time(self._system.now(), self.ahead_s)

    def monotonic(self) -> float:
        return self._system.monotonic()


async def block_times(platform: PortSource) -> list[str]:
    log = platform.port(LogStore)
    heights = range((await log.state()).height + 1)
    return [Block.from_text(split_note(await log.block(height=height))[0]).time for height in heights]


async def entries(platform: PortSource) -> list[LogEntry]:
    log = platform.port(LogStore)
    return [LogEntry.from_bytes(await log.entry(index=index)) for index in range((await log.state()).size)]


async def test_sessions_over_a_step_back(tmp_path: Path) -> None:
    clock = TurnableClock()
    async with platform_on(tmp_path / "data", clock=clock) as platform, desktop(platform, marked_pictures(60)):
        first = await connect(platform)
        clock.ahead_s = -3600.0
        second = await connect(platform)
        await asyncio.gather(first.wait_closed(), second.wait_closed())

        newest, oldest = [await proven(platform, session.id) for session in await platform.port(Pipeline).list()]
        for session in (newest, oldest):
            await verified(platform, platform.data, session.id, tmp_path / session.id)
            assert session.closed is not None
            assert session.opened <= session.closed
        assert oldest.opened <= newest.opened
        times = await block_times(platform)
        assert times == sorted(times)
        openings = {entry.session: entry.time for entry in await entries(platform) if entry.type == "session.opened"}
        closings = {entry.session: entry.time for entry in await entries(platform) if entry.type == "session.closed"}
        assert openings.keys() == closings.keys()
        assert all(openings[session] <= closings[session] for session in openings)


async def test_a_restart_after_a_step_back(tmp_path: Path) -> None:
    """The next run's clock is a day behind what this one wrote."""
    async with platform_on(tmp_path / "data") as platform, desktop(platform, marked_pictures(20)):
        async with await connect(platform) as client:
            await client.wait_closed()
        (before,) = await platform.port(Pipeline).list()
        await proven(platform, before.id)
    clock = TurnableClock()
    clock.ahead_s = -86_400.0
    async with (
        platform_on(tmp_path / "data", clock=clock) as platform,
        desktop(platform, marked_pictures(20), "another"),
    ):
        async with await connect(platform, "another") as client:
            await client.wait_closed()
        for session in await platform.port(Pipeline).list():
            await verified(platform, platform.data, session.id, tmp_path / session.id)
        times = await block_times(platform)
        assert times == sorted(times)
