"""The recorder fails closed: a disk that is full, slow or gone ends the recording, within a second."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucid.base.errors import RecorderFailed, StorageFull
from lucid.base.ids import new_session_id
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import ClosedSegment
from tests.services.session_recorder.recording_kit import (
    CLOSED,
    FaultyFolder,
    frames,
    read_recording,
    started,
)

SESSION = new_session_id()


async def test_a_full_disk_ends_the_recording_at_once(tmp_path: Path) -> None:
    folder = FaultyFolder(tmp_path)
    recorder = await started(folder)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0))
    folder.full = True
    began = time.monotonic()
    with pytest.raises(RecorderFailed, match="No space left on device"):
        await recorder.append(session=SESSION, frames=frames(1))
    assert time.monotonic() - began < 1
    folder.full = False
    with pytest.raises(RecorderFailed, match="has ended: recorder-failed"):
        await recorder.append(session=SESSION, frames=frames(2))
    await recorder.close(session=SESSION, end=CLOSED)
    status = await recorder.next_segment(session=SESSION, after=-1, wait_s=0)
    assert status.end is not None
    assert status.end.reason is EndReason.RECORDER_FAILED
    assert (status.segment, status.ended) == (ClosedSegment(number=0, complete=False), True)
    assert await read_recording(recorder, SESSION) == [frames(0)]
    await recorder.stop()


async def test_an_end_that_cannot_be_written_is_remembered(tmp_path: Path) -> None:
    folder = FaultyFolder(tmp_path)
    recorder = await started(folder)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0))
    folder.full = True
    await recorder.close(session=SESSION, end=CLOSED)
    status = await recorder.next_segment(session=SESSION, after=-1, wait_s=0)
    assert (status.ended, status.end) == (True, CLOSED)
    assert await read_recording(recorder, SESSION) == [frames(0)]
    await recorder.stop()


async def test_a_slow_disk_ends_the_recording_within_the_limit(tmp_path: Path) -> None:
    folder = FaultyFolder(tmp_path)
    recorder = await started(folder)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0))
    folder.delay_s = 2.0
    began = time.monotonic()
    with pytest.raises(RecorderFailed, match="not on disk within 1 s"):
        await recorder.append(session=SESSION, frames=frames(1))
    assert 0.9 < time.monotonic() - began < 1.5
    status = await recorder.next_segment(session=SESSION, after=-1, wait_s=0)
    assert status.end is not None
    assert status.end.reason is EndReason.RECORDER_FAILED
    # What was acknowledged is there; the frame that came too late may be.
    assert (await read_recording(recorder, SESSION))[0] == frames(0)
    await recorder.stop()


async def test_an_idle_segment_that_cannot_be_closed_ends_the_recording(tmp_path: Path) -> None:
    folder = FaultyFolder(tmp_path)
    recorder = await started(folder, segment_s=0.05)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0))
    folder.full = True
    status = await recorder.next_segment(session=SESSION, after=-1, wait_s=5)
    assert status.ended
    assert status.end is not None
    assert status.end.reason is EndReason.RECORDER_FAILED
    await recorder.stop()


async def test_an_opening_on_a_full_disk_uses_no_number_up(tmp_path: Path) -> None:
    folder = FaultyFolder(tmp_path)
    recorder = await started(folder)
    folder.full = True
    with pytest.raises(StorageFull):
        await recorder.open(session=SESSION, playback=False)
    folder.full = False
    assert await recorder.recordings() == []
    assert (await recorder.open(session=SESSION, playback=False)).recorder.sequence == 1
    await recorder.stop()


async def test_a_number_used_up_by_a_broken_opening_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FaultyFolder(tmp_path)
    recorder = await started(folder)
    write = folder.write

    async def write_state_only(files: dict[str, bytes]) -> None:
        await write(files)
        folder.full = True

    monkeypatch.setattr(folder, "write", write_state_only)
    with pytest.raises(StorageFull):
        await recorder.open(session=SESSION, playback=False)
    with pytest.raises(StorageFull):
        await recorder.start_of(session=SESSION)
    monkeypatch.undo()
    folder.full = False
    assert (await recorder.start_of(session=SESSION)).recorder.sequence == 1
    assert (await recorder.next_segment(session=SESSION, after=-1, wait_s=0)).ended
    assert (await recorder.open(session=new_session_id(), playback=False)).recorder.sequence == 2
    await recorder.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


async def test_a_disk_that_really_is_full(small_disk: Path) -> None:
    recorder = await started(small_disk)
    await recorder.open(session=SESSION, playback=False)
    kept = 0

    async def fill() -> None:
        nonlocal kept
        while True:
            await recorder.append(session=SESSION, frames=frames(kept, 1, size=50_000))
            kept += 1

    with pytest.raises(RecorderFailed, match="No space left on device"):
        await fill()
    assert kept > 10
    recorded = await read_recording(recorder, SESSION)
    assert recorded[:kept] == [frames(n, 1, size=50_000) for n in range(kept)]
    with pytest.raises(StorageFull):
        await recorder.open(session=new_session_id(), playback=False)
    await recorder.release(session=SESSION)
    await recorder.open(session=new_session_id(), playback=False)
    await recorder.stop()


async def test_twenty_sessions_at_once(tmp_path: Path) -> None:
    recorder = await started(tmp_path)
    sessions = [new_session_id() for _ in range(20)]

    async def record(session: str) -> None:
        await recorder.open(session=session, playback=False)
        for n in range(10):
            await recorder.append(session=session, frames=frames(n))
        await recorder.close(session=session, end=CLOSED)

    await asyncio.gather(*map(record, sessions))
    for session in sessions:
        assert await read_recording(recorder, session) == [frames(n) for n in range(10)]
    await recorder.stop()


async def test_a_recording_that_nothing_is_heard_of_ends(tmp_path: Path) -> None:
    recorder = await started(tmp_path, silence_limit_s=0.2)
    lively, silent = new_session_id(), new_session_id()
    for session in (lively, silent):
        await recorder.open(session=session, playback=False)
        await recorder.append(session=session, frames=frames())

    async def beat() -> None:
        while True:
            await recorder.append(session=lively, frames=b"")
            await asyncio.sleep(0.02)

    beating = asyncio.create_task(beat())
    status = await recorder.next_segment(session=silent, after=0, wait_s=5)
    assert status.end == SessionEnd(reason=EndReason.INTERRUPTED, detail="nothing was heard of the session for 0.2 s")
    assert (await recorder.next_segment(session=lively, after=0, wait_s=0.3)).end is None
    beating.cancel()
    with pytest.raises(RecorderFailed, match="has ended: interrupted"):
        await recorder.append(session=silent, frames=b"")
    assert await read_recording(recorder, silent) == [frames()]
    await recorder.stop()
