"""The platform dies between any two calls of a port; the next start ends every session as proven."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from lucid.model.session import EndReason, SessionState
from tests.services.session_pipeline.pipeline_kit import CLOSED, GRANT, FakeLog, RecordingPath, frame_bytes


class Crash(BaseException):
    """The process is gone. Not an Exception: no handler of the platform may take it for a failure to handle."""


class Countdown:
    """Counts the calls of all ports; from call `at` on, each of them dies, before or after it took effect."""

    def __init__(self, at: int, *, effective: bool) -> None:
        self.calls = 0
        self.crashed = asyncio.Event()
        self._at = at
        self._effective = effective

    def wrap(self, _port: type, implementation: Any) -> Any:
        return _Proxy(implementation, self)

    async def call(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        last = self.calls == self._at
        if self.calls >= self._at and not (last and self._effective):
            self.crashed.set()
            raise Crash
        result = await method(*args, **kwargs)
        if self.calls >= self._at:
            self.crashed.set()
            raise Crash
        return result


class _Proxy:
    def __init__(self, inner: Any, countdown: Countdown) -> None:
        self._inner = inner
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._countdown.call(found, *args, **kwargs)

        return call


FRAMES = [frame_bytes(n, 70_000) for n in range(2)] + [frame_bytes(2)]


async def one_session(path: RecordingPath, acknowledged: list[bytes]) -> None:
    """A session with three segments, to its end."""
    session = (await path.pipeline.open(grant=GRANT)).session
    for frame in FRAMES:
        await path.recorder.append(session=session, frames=frame)
        acknowledged.append(frame)
    await path.pipeline.end(session=session, end=CLOSED)
    await path.pipeline.wait(session=session, wait_s=5)
    await path.released()


async def run_until_crash(root: Path, log: FakeLog, countdown: Countdown) -> list[bytes]:
    """What was acknowledged until the crash."""
    path = RecordingPath(root, log, wrap=countdown.wrap)
    acknowledged: list[bytes] = []
    session: asyncio.Task[None] | None = None
    try:
        await path.start()
        session = asyncio.create_task(one_session(path, acknowledged))
        crash = asyncio.create_task(countdown.crashed.wait())
        await asyncio.wait([session, crash], timeout=20, return_when=asyncio.FIRST_COMPLETED)
        crash.cancel()
    except Crash:
        pass
    finally:
        if session is not None:
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)
        await path.crash()
    return acknowledged


async def check_recovery(root: Path, log: FakeLog, acknowledged: list[bytes]) -> None:
    path = RecordingPath(root, log)
    await path.start()
    try:
        for seen in await path.pipeline.list():
            settled = await path.pipeline.wait(session=seen.id, wait_s=10)
            if settled.state is SessionState.FAILED:
                assert acknowledged == []
                continue
            manifest, chunks = await path.proven(seen.id)
            assert manifest.end.reason in (EndReason.INTERRUPTED, EndReason.CLIENT_CLOSED)
            assert len(acknowledged) <= manifest.frames <= len(acknowledged) + 1
            assert sum(chunk.length for chunk in chunks) == sum(map(len, FRAMES[: manifest.frames]))
            for chunk in chunks:
                await path.storage.get(digest=chunk.digest)
        await path.released()
        # The next session has the next number, and nothing was anchored twice.
        following = await path.pipeline.open(grant=GRANT)
        await path.pipeline.end(session=following.session, end=CLOSED)
        await path.proven(following.session)
        sequences = [statement.recorder.sequence for statement in log.openings]
        assert sequences == list(range(1, len(sequences) + 1))
        assert set(log.closings) == {statement.session for statement in log.openings}
    finally:
        await path.stop()


async def calls_of_a_whole_run(root: Path) -> int:
    countdown = Countdown(at=10**9, effective=False)
    assert await run_until_crash(root, FakeLog(), countdown) == FRAMES
    return countdown.calls


# The calls of one run, with some to spare: a crash that comes too late is an orderly restart.
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 80))
async def test_killed_at_any_call(tmp_path: Path, at: int, effective: bool) -> None:
    log = FakeLog()
    acknowledged = await run_until_crash(tmp_path, log, Countdown(at, effective=effective))
    await check_recovery(tmp_path, log, acknowledged)


async def test_a_run_has_no_more_calls_than_are_tried(tmp_path: Path) -> None:
    assert 40 < await calls_of_a_whole_run(tmp_path) < 100


async def test_killed_twice(tmp_path: Path) -> None:
    """A crash of the recovery itself is recovered from as well."""
    for at in range(1, 40, 3):
        root, log = tmp_path / str(at), FakeLog()
        acknowledged = await run_until_crash(root, log, Countdown(at=45, effective=False))
        countdown = Countdown(at, effective=at % 2 == 0)
        second = RecordingPath(root, log, wrap=countdown.wrap)
        try:
            await second.start()
            await asyncio.wait_for(countdown.crashed.wait(), 0.3)
        except (Crash, TimeoutError):
            pass
        await second.crash()
        await check_recovery(root, log, acknowledged)


async def test_a_recorder_that_lost_a_journal_does_not_hold_up_the_session(tmp_path: Path) -> None:
    path = RecordingPath(tmp_path, FakeLog())
    await path.start()
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.crash()
    for file in (tmp_path / "recorder" / "journal" / session).iterdir():
        file.unlink()
    (tmp_path / "recorder" / "recorder.json").write_text('{"recorder": "rec-1", "sequence": 1}')
    again = RecordingPath(tmp_path, path.log)
    await again.start()
    manifest, _ = await again.proven(session)
    assert manifest.end.reason is EndReason.STORE_CORRUPTED
    await again.stop()
