import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.base.errors import Conflict, Corrupted, InvalidInput, NotFound, RecorderFailed, StorageFull
from lucid.base.ids import new_session_id
from lucid.crypto import age
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import ClosedSegment
from lucid.services.session_recorder.service import SessionRecorder
from tests.services.session_recorder.recording_kit import (
    CLOSED,
    OWNER,
    PLATFORM,
    contents,
    frames,
    read_recording,
    started,
)

SESSION = new_session_id()


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[SessionRecorder]:
    recorder = await started(tmp_path)
    yield recorder
    await recorder.stop()


async def restarted(recorder: SessionRecorder, folder: Path) -> SessionRecorder:
    """Another recorder on the disk as a crash of this one leaves it."""
    await recorder._tasks.close()
    await recorder._folder.release()  # type: ignore[attr-defined]
    return await started(folder)


async def test_a_recording(recorder: SessionRecorder, tmp_path: Path) -> None:
    start = await recorder.open(session=SESSION, playback=False)
    assert start.recorder.sequence == 1
    assert age.unwrap(start.keys[0].wrapped, OWNER) == age.unwrap(start.platform_key.wrapped, PLATFORM)
    await recorder.append(session=SESSION, frames=frames(0, 3))
    await recorder.append(session=SESSION, frames=frames(3, 2))
    await recorder.close(session=SESSION, end=CLOSED)
    status = await recorder.next_segment(session=SESSION, after=-1, wait_s=0)
    assert status.segment == ClosedSegment(number=0, complete=True)
    assert (status.ended, status.end, status.last_us) == (True, CLOSED, 4000)
    assert await read_recording(recorder, SESSION) == [frames(n) for n in range(5)]
    await recorder.release(session=SESSION)
    await recorder.release(session=SESSION)
    assert await recorder.recordings() == []
    assert contents(tmp_path).keys() == {".lock", "recorder.json"}


async def test_nothing_on_disk_is_plaintext(recorder: SessionRecorder, tmp_path: Path) -> None:
    start = await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0, 2) + frames(2, 1, size=200_000))
    data_key = age.unwrap(start.platform_key.wrapped, PLATFORM)
    for content in contents(tmp_path).values():
        assert b"....." not in content
        assert data_key not in content
        assert data_key.hex().encode() not in content


async def test_numbers_have_no_gap_and_survive_restarts(recorder: SessionRecorder, tmp_path: Path) -> None:
    for expected in (1, 2):
        start = await recorder.open(session=new_session_id(), playback=False)
        assert start.recorder.sequence == expected
    again = await restarted(recorder, tmp_path)
    following = await again.open(session=new_session_id(), playback=False)
    assert following.recorder == start.recorder.model_copy(update={"sequence": 3})
    await again.stop()


async def test_concurrent_openings_have_different_numbers(recorder: SessionRecorder) -> None:
    starts = await asyncio.gather(*(recorder.open(session=new_session_id(), playback=False) for _ in range(10)))
    assert sorted(start.recorder.sequence for start in starts) == list(range(1, 11))


async def test_a_cancelled_opening_keeps_its_number(recorder: SessionRecorder) -> None:
    call = asyncio.create_task(recorder.open(session=SESSION, playback=False))
    while not recorder._numbering.locked():  # noqa: ASYNC110 - the moment at which the number is being written
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert (await recorder.start_of(session=SESSION)).recorder.sequence == 1
    assert (await recorder.open(session=new_session_id(), playback=False)).recorder.sequence == 2


async def test_one_session_is_recorded_once(recorder: SessionRecorder) -> None:
    await recorder.open(session=SESSION, playback=False)
    with pytest.raises(Conflict, match="is being recorded already"):
        await recorder.open(session=SESSION, playback=False)
    assert (await recorder.open(session=new_session_id(), playback=False)).recorder.sequence == 2


async def test_a_second_recorder_on_the_folder_does_not_start(recorder: SessionRecorder, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="another recorder is running on this data folder"):
        await started(tmp_path)


async def test_segments_close_by_size(tmp_path: Path) -> None:
    recorder = await started(tmp_path, segment_bytes=64 * 1024)
    await recorder.open(session=SESSION, playback=False)
    for n in range(4):
        await recorder.append(session=SESSION, frames=frames(n, 1, size=40_000))
    first = await recorder.next_segment(session=SESSION, after=-1, wait_s=0)
    assert (first.segment, first.ended) == (ClosedSegment(number=0, complete=True), False)
    second = await recorder.next_segment(session=SESSION, after=0, wait_s=0)
    assert second.segment == ClosedSegment(number=1, complete=True)
    assert (await recorder.next_segment(session=SESSION, after=1, wait_s=0)).segment is None
    await recorder.close(session=SESSION, end=CLOSED)
    assert not (await recorder.next_segment(session=SESSION, after=0, wait_s=0)).ended
    assert (await recorder.next_segment(session=SESSION, after=1, wait_s=0)).ended
    assert b"".join(await read_recording(recorder, SESSION)) == frames(0, 4, size=40_000)
    await recorder.release_segment(session=SESSION, number=0)
    with pytest.raises(NotFound):
        await recorder.read_segment(session=SESSION, number=0)
    await recorder.stop()


async def test_an_idle_segment_closes_by_age(tmp_path: Path) -> None:
    recorder = await started(tmp_path, segment_s=0.05)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames())
    status = await recorder.next_segment(session=SESSION, after=-1, wait_s=5)
    assert (status.segment, status.ended) == (ClosedSegment(number=0, complete=True), False)
    # Without further frames there is no further segment.
    assert (await recorder.next_segment(session=SESSION, after=0, wait_s=0.15)).segment is None
    await recorder.stop()


async def test_waiting_for_a_segment_ends_with_the_recording(recorder: SessionRecorder) -> None:
    await recorder.open(session=SESSION, playback=False)
    waiting = asyncio.create_task(recorder.next_segment(session=SESSION, after=-1, wait_s=30))
    await asyncio.sleep(0)
    await recorder.close(session=SESSION, end=CLOSED)
    assert (await waiting).ended


async def test_the_first_end_counts(recorder: SessionRecorder) -> None:
    await recorder.open(session=SESSION, playback=False)
    await recorder.close(session=SESSION, end=CLOSED)
    await recorder.close(session=SESSION, end=SessionEnd(reason=EndReason.TERMINATED))
    with pytest.raises(RecorderFailed, match="has ended: client-closed"):
        await recorder.append(session=SESSION, frames=frames())
    assert (await recorder.next_segment(session=SESSION, after=-1, wait_s=0)).end == CLOSED


@pytest.mark.parametrize("written", [frames(2, 3)[:-1], frames(5) + frames(4)])
async def test_frames_that_are_not_whole_or_go_back_are_refused(recorder: SessionRecorder, written: bytes) -> None:
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(1))
    with pytest.raises(InvalidInput):
        await recorder.append(session=SESSION, frames=written)
    with pytest.raises(InvalidInput, match="time goes back"):
        await recorder.append(session=SESSION, frames=frames(0))
    await recorder.append(session=SESSION, frames=frames(2))


async def test_a_cancelled_append_leaves_a_whole_record(recorder: SessionRecorder) -> None:
    await recorder.open(session=SESSION, playback=False)
    call = asyncio.create_task(recorder.append(session=SESSION, frames=frames(0, 1)))
    await asyncio.sleep(0.0005)
    call.cancel()
    await asyncio.wait([call])
    await recorder.append(session=SESSION, frames=frames(1, 1))
    await recorder.close(session=SESSION, end=CLOSED)
    assert (await read_recording(recorder, SESSION))[-1] == frames(1, 1)


async def test_a_journal_of_an_earlier_run_is_an_interrupted_recording(
    recorder: SessionRecorder, tmp_path: Path
) -> None:
    start = await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0, 3))
    again = await restarted(recorder, tmp_path)
    assert await again.recordings() == [SESSION]
    assert await again.start_of(session=SESSION) == start
    status = await again.next_segment(session=SESSION, after=-1, wait_s=0)
    assert status.end is not None
    assert status.end.reason is EndReason.INTERRUPTED
    assert (status.segment, status.ended, status.last_us) == (ClosedSegment(number=0, complete=False), True, 2000)
    assert await read_recording(again, SESSION) == [frames(n) for n in range(3)]
    with pytest.raises(RecorderFailed):
        await again.append(session=SESSION, frames=frames(3))
    await again.stop()


async def test_a_written_end_survives(recorder: SessionRecorder, tmp_path: Path) -> None:
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames())
    await recorder.close(session=SESSION, end=SessionEnd(reason=EndReason.IDLE_LIMIT))
    again = await restarted(recorder, tmp_path)
    status = await again.next_segment(session=SESSION, after=-1, wait_s=0)
    assert status.end == SessionEnd(reason=EndReason.IDLE_LIMIT)
    assert status.segment == ClosedSegment(number=0, complete=True)
    await again.stop()


async def test_a_number_without_a_journal_gets_one_again(recorder: SessionRecorder, tmp_path: Path) -> None:
    start = await recorder.open(session=SESSION, playback=False)
    (tmp_path / "journal" / SESSION / "session.json").unlink()
    again = await restarted(recorder, tmp_path)
    assert await again.recordings() == [SESSION]
    assert await again.start_of(session=SESSION) == start
    assert (await again.next_segment(session=SESSION, after=-1, wait_s=0)).ended
    await again.stop()


async def test_a_clean_stop_ends_the_recordings(tmp_path: Path) -> None:
    folder = DiskFolder(tmp_path)
    recorder = await started(folder)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames())
    await recorder.stop()
    await folder.release()
    again = await started(tmp_path)
    status = await again.next_segment(session=SESSION, after=-1, wait_s=0)
    assert status.segment == ClosedSegment(number=0, complete=True)
    assert status.end == SessionEnd(reason=EndReason.INTERRUPTED)
    await again.stop()


async def test_only_an_ended_recording_is_released(recorder: SessionRecorder) -> None:
    await recorder.open(session=SESSION, playback=False)
    with pytest.raises(Conflict, match="still being recorded"):
        await recorder.release(session=SESSION)


async def test_playback_adds_the_players_key(tmp_path: Path, recorder: SessionRecorder) -> None:
    with pytest.raises(InvalidInput, match="no playback recipient"):
        await recorder.open(session=SESSION, playback=True)
    player = age.new_identity()
    other = await started(tmp_path / "other", playback_recipient=age.recipient_of(player))
    with_player = await other.open(session=new_session_id(), playback=True)
    without = await other.open(session=new_session_id(), playback=False)
    assert [key.recipient for key in with_player.keys] == [age.recipient_of(OWNER), age.recipient_of(player)]
    assert [key.recipient for key in without.keys] == [age.recipient_of(OWNER)]
    await other.stop()


async def test_journals_are_bounded(tmp_path: Path) -> None:
    recorder = await started(tmp_path, journal_limit_bytes=1024 * 1024)
    await recorder.open(session=SESSION, playback=False)
    await recorder.append(session=SESSION, frames=frames(0, 1, size=1024 * 1024))
    with pytest.raises(RecorderFailed, match="sealing lags behind"):
        await recorder.append(session=SESSION, frames=frames(1))
    with pytest.raises(StorageFull):
        await recorder.open(session=new_session_id(), playback=False)
    await recorder.release(session=SESSION)
    await recorder.open(session=new_session_id(), playback=False)
    await recorder.stop()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "recorder.json").unlink(), "recorder.json is missing"),
        (lambda folder: (folder / "recorder.json").write_text("{}"), "recorder.json: "),
        (
            lambda folder: (folder / "recorder.json").write_text(json.dumps({"recorder": "rec-1", "sequence": 0})),
            "recorder.json is older than the journal",
        ),
    ],
)
async def test_a_lost_numbering_stops_the_recorder(
    recorder: SessionRecorder, tmp_path: Path, damage: object, message: str
) -> None:
    assert callable(damage)
    await recorder.open(session=SESSION, playback=False)
    damage(tmp_path)
    with pytest.raises(Corrupted, match=message):
        await restarted(recorder, tmp_path)


async def test_a_journal_with_a_damaged_head_does_not_stop_the_others(
    recorder: SessionRecorder, tmp_path: Path
) -> None:
    await recorder.open(session=SESSION, playback=False)
    other = new_session_id()
    await recorder.open(session=other, playback=False)
    (tmp_path / "journal" / SESSION / "session.json").write_text("{")
    again = await restarted(recorder, tmp_path)
    assert await again.recordings() == [other]
    await again.stop()


async def test_a_recorder_keeps_its_name(recorder: SessionRecorder, tmp_path: Path) -> None:
    name = (await recorder.open(session=SESSION, playback=False)).recorder.id
    assert name.startswith("rec-")
    await recorder._folder.release()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=f"belongs to the recorder {name}, not another"):
        await started(tmp_path, recorder="another")


async def test_a_recipient_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected an age X25519 recipient"):
        await started(tmp_path, recipients=("age1nobody",))
