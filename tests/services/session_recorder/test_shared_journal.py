"""Sessions share the journal's files: they are written together, and each is read, damaged and released alone."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lucid.base.errors import Corrupted, NotFound, RecorderFailed, Unavailable
from lucid.base.ids import new_session_id
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.session import EndReason
from lucid.recording.journal import HEAD_BYTES, find_heads
from lucid.services.session_recorder import files as journal_files
from lucid.services.session_recorder.service import SessionRecorder
from tests.services.session_recorder.recording_kit import CLOSED, frames, read_recording, started


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[SessionRecorder]:
    recorder = await started(tmp_path)
    yield recorder
    await recorder.stop()


async def opened(recorder: SessionRecorder, count: int) -> list[str]:
    sessions = [new_session_id() for _ in range(count)]
    for session in sessions:
        await recorder.open(session=session, playback=False)
    return sessions


async def append_all(recorder: SessionRecorder, sessions: list[str], number: int) -> None:
    """One frame for each, in one round of the event loop."""
    await asyncio.gather(*(recorder.append(session=session, frames=frames(number)) for session in sessions))


def logs(folder: Path) -> list[Path]:
    return sorted((folder / "journal").glob("*.log"))


async def crashed(recorder: SessionRecorder) -> None:
    """Leave the disk as a crash of this recorder would."""
    await recorder._tasks.close()
    await recorder._folder.release()  # type: ignore[attr-defined]


async def test_what_is_appended_together_is_one_write_and_one_sync(
    recorder: SessionRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = await opened(recorder, 30)
    await append_all(recorder, sessions, 0)
    calls = list[int]()
    real = os.fdatasync

    def count(descriptor: int) -> None:
        calls.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", count)
    await append_all(recorder, sessions, 1)
    assert len(calls) == 1
    monkeypatch.undo()
    assert len(logs(tmp_path)) == 1
    for session in sessions:
        await recorder.close(session=session, end=CLOSED)
        assert await read_recording(recorder, session) == [frames(0), frames(1)]


async def test_more_than_a_batch_has_memory_for(recorder: SessionRecorder) -> None:
    sessions = await opened(recorder, 12)
    for number, size in enumerate((200_000, 150, 250_000, 1_048_563, 1_048_564)):
        written = frames(number, 1, size=size)
        await asyncio.gather(*(recorder.append(session=session, frames=written) for session in sessions))
    for session in sessions:
        await recorder.close(session=session, end=CLOSED)
        recorded = await read_recording(recorder, session)
        assert [len(record) - 13 for record in recorded] == [200_000, 150, 250_000, 1_048_563, 1_048_564]


async def test_interleaved_sessions_are_found_after_a_crash(recorder: SessionRecorder, tmp_path: Path) -> None:
    sessions = await opened(recorder, 5)
    for number in range(20):
        await append_all(recorder, sessions[: 1 + number % 5], number)
    await recorder.close(session=sessions[4], end=CLOSED)
    await crashed(recorder)
    again = await started(tmp_path)
    for place, session in enumerate(sessions):
        status = await again.next_segment(session=session, after=-1, wait_s=0)
        assert status.end is not None
        assert status.end.reason is (EndReason.CLIENT_CLOSED if place == 4 else EndReason.INTERRUPTED)
        expected = [frames(number) for number in range(20) if number % 5 >= place]
        assert await read_recording(again, session) == expected
        assert status.last_us == 19_000
    fresh = (await opened(again, 1))[0]
    await again.append(session=fresh, frames=frames())
    assert [path.name for path in logs(tmp_path)] == ["00000000.log", "00000001.log"]
    await again.stop()


@pytest.mark.parametrize("cut", [1, 17, 100, 160, 300])
async def test_a_torn_end_is_the_files_end(recorder: SessionRecorder, tmp_path: Path, cut: int) -> None:
    sessions = await opened(recorder, 3)
    await append_all(recorder, sessions, 0)
    await append_all(recorder, sessions, 1)
    await crashed(recorder)
    (log,) = logs(tmp_path)
    log.write_bytes(log.read_bytes()[:-cut])
    lost = -(-cut // (HEAD_BYTES + len(frames()) + 16))
    with capture_logs() as logged:
        again = await started(tmp_path)
    assert not [event for event in logged if event["event"] in ("journal damaged", "journal file damaged")]
    for place, session in enumerate(sessions):
        expected = [frames(0), frames(1)][: 1 if place >= 3 - lost else 2]
        assert await read_recording(again, session) == expected
    await again.stop()


@pytest.mark.parametrize("where", ["head", "sealed"])
async def test_damage_is_one_sessions_alone(recorder: SessionRecorder, tmp_path: Path, where: str) -> None:
    sessions = await opened(recorder, 3)
    for number in range(3):
        await append_all(recorder, sessions, number)
    await crashed(recorder)
    (log,) = logs(tmp_path)
    data = bytearray(log.read_bytes())
    heads = [at for at, _ in find_heads(bytes(data), 0)]
    assert len(heads) == 9
    data[heads[4] + (25 if where == "head" else HEAD_BYTES + 30)] ^= 1  # the second record of the second session
    log.write_bytes(data)
    again = await started(tmp_path)
    for session in (sessions[0], sessions[2]):
        assert await read_recording(again, session) == [frames(number) for number in range(3)]
    with pytest.raises(Corrupted, match="segment 0: record 1 does not open, one after it does"):
        await read_recording(again, sessions[1])
    await again.stop()


async def test_a_sector_of_zeros_hides_what_it_covers(recorder: SessionRecorder, tmp_path: Path) -> None:
    sessions = await opened(recorder, 2)
    for number in range(60):
        await append_all(recorder, sessions, number)
    await crashed(recorder)
    (log,) = logs(tmp_path)
    data = bytearray(log.read_bytes())
    data[4096:8192] = bytes(4096)
    log.write_bytes(data)
    with capture_logs() as logged:
        again = await started(tmp_path)
    assert [event["file"] for event in logged if event["event"] == "journal file damaged"] == ["journal/00000000.log"]
    for session in sessions:
        with pytest.raises(Corrupted, match="does not open, one after it does"):
            await read_recording(again, session)
    await again.stop()


async def test_a_lost_segment_is_damage(tmp_path: Path) -> None:
    recorder = await started(tmp_path, segment_bytes=64 * 1024)
    (session,) = await opened(recorder, 1)
    for number in range(5):
        await recorder.append(session=session, frames=frames(number, 1, size=70_000))
    await crashed(recorder)
    (log,) = logs(tmp_path)
    data = log.read_bytes()
    heads = [(at, head.segment) for at, head in find_heads(data, 0)]
    start, end = (next(at for at, segment in heads if segment == number) for number in (2, 3))
    log.write_bytes(data[:start] + data[end:])
    again = await started(tmp_path)
    status = await again.next_segment(session=session, after=1, wait_s=0)
    assert status.segment is not None
    assert (status.segment.number, status.segment.complete) == (2, True)
    assert await again.read_segment(session=session, number=2) == b""
    await again.stop()


async def test_a_released_session_leaves_the_others_their_file(recorder: SessionRecorder, tmp_path: Path) -> None:
    first, second = await opened(recorder, 2)
    await append_all(recorder, [first, second], 0)
    await recorder.close(session=first, end=CLOSED)
    await recorder.release(session=first)
    assert len(logs(tmp_path)) == 1
    with pytest.raises(NotFound):
        await recorder.read_segment(session=first, number=0)
    await recorder.append(session=second, frames=frames(1))
    await crashed(recorder)
    again = await started(tmp_path)
    assert await again.recordings() == [second]
    assert await read_recording(again, second) == [frames(0), frames(1)]
    await again.release(session=second)
    assert logs(tmp_path) == []
    assert again._backlog.bytes == 0
    await again.stop()


async def test_files_that_only_the_released_had_are_deleted_at_the_start(
    recorder: SessionRecorder, tmp_path: Path
) -> None:
    first, second, _ = await opened(recorder, 3)
    await append_all(recorder, [first, second], 0)
    await crashed(recorder)
    for session in (first, second):
        (tmp_path / "journal" / session / "session.json").unlink()
    again = await started(tmp_path)
    assert logs(tmp_path) == []
    await again.stop()


async def test_the_records_of_an_unreadable_journal_are_kept(recorder: SessionRecorder, tmp_path: Path) -> None:
    first, second = await opened(recorder, 2)
    await append_all(recorder, [first, second], 0)
    await crashed(recorder)
    (tmp_path / "journal" / first / "session.json").write_text("{")
    again = await started(tmp_path)
    await again.release(session=second)
    assert len(logs(tmp_path)) == 1
    await again.stop()


async def test_a_quiet_session_does_not_hold_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_files, "FILE_BYTES", 200_000)
    recorder = await started(tmp_path, segment_bytes=64 * 1024, segment_s=0.2)
    quiet, busy = await opened(recorder, 2)
    await append_all(recorder, [quiet, busy], 0)
    for number in range(1, 9):
        await recorder.append(session=busy, frames=frames(number, 1, size=70_000))
    assert len(logs(tmp_path)) >= 3
    await recorder.close(session=busy, end=CLOSED)
    await recorder.release(session=busy)
    assert len(logs(tmp_path)) == 1
    # Its segment closes by age and is released once it is sealed; then the file goes.
    status = await recorder.next_segment(session=quiet, after=-1, wait_s=5)
    assert status.segment is not None
    await recorder.release_segment(session=quiet, number=0)
    assert logs(tmp_path) == []
    assert recorder._backlog.bytes == 0
    await recorder.append(session=quiet, frames=frames(10))
    await recorder.close(session=quiet, end=CLOSED)
    assert await read_recording(recorder, quiet) == [frames(10)]
    await recorder.stop()


async def test_a_segment_in_many_files_is_read_into_memory_where_it_finds_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_files, "FILE_BYTES", 1)  # each batch has a file of its own
    recorder = await started(tmp_path)
    first, second = await opened(recorder, 2)
    for number in range(5):
        await append_all(recorder, [first, second], number)
    await recorder.close(session=first, end=CLOSED)
    assert len(logs(tmp_path)) > 4
    expected = await recorder.read_segment(session=first, number=0)
    memory = memoryview(bytearray(len(expected) + 10))
    for room in (memory, memory[:-10]):
        assert await recorder.read_segment(session=first, number=0, memory=room) == expected
        assert room[: len(expected)] == expected
        room[:] = bytes(len(room))
    assert await recorder.read_segment(session=first, number=0, memory=memory[:-11]) == expected
    assert memory == bytes(len(memory))
    await recorder.stop()


async def test_a_segment_whose_file_was_deleted_before_a_crash_was_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_files, "FILE_BYTES", 1)  # each batch has a file of its own
    recorder = await started(tmp_path)
    first, second = await opened(recorder, 2)
    await recorder.append(session=first, frames=frames(0))
    await append_all(recorder, [first, second], 1)
    await recorder.close(session=first, end=CLOSED)
    await recorder.release_segment(session=first, number=0)
    await crashed(recorder)
    with capture_logs() as logged:
        again = await started(tmp_path)
    assert not [event for event in logged if event["event"] == "journal damaged"]
    assert (await again.next_segment(session=first, after=-1, wait_s=0)).segment is None
    assert await read_recording(again, second) == [frames(1)]
    await again.stop()


async def test_a_file_that_cannot_be_deleted_is_deleted_later(
    recorder: SessionRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (session,) = await opened(recorder, 1)
    await recorder.append(session=session, frames=frames())
    await recorder.close(session=session, end=CLOSED)

    async def fail(_self: object, path: str) -> bool:
        raise Unavailable(f"{path}: Input/output error")

    monkeypatch.setattr(DiskFolder, "delete", fail)
    with pytest.raises(Unavailable):
        await recorder.release_segment(session=session, number=0)
    assert recorder._backlog.bytes > 0
    monkeypatch.undo()
    await recorder.release_segment(session=session, number=0)
    assert logs(tmp_path) == []
    assert recorder._backlog.bytes == 0


async def test_what_is_appended_while_files_are_deleted_stays(
    recorder: SessionRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await opened(recorder, 2)
    for number in range(8):  # each in a file of its own
        if (current := recorder._files._current) is not None:
            recorder._files.retire(current)
        await recorder.append(session=first, frames=frames(number))
    await recorder.close(session=first, end=CLOSED)
    written = iter(range(100))
    real = DiskFolder.delete

    async def delete(folder: DiskFolder, path: str) -> bool:
        await recorder.append(session=second, frames=frames(next(written)))
        return await real(folder, path)

    monkeypatch.setattr(DiskFolder, "delete", delete)
    await recorder.release_segment(session=first, number=0)
    monkeypatch.undo()
    await recorder.close(session=second, end=CLOSED)
    assert await read_recording(recorder, second) == [frames(number) for number in range(next(written))]
    await recorder.release(session=second)
    await recorder.release(session=first)
    assert logs(tmp_path) == []
    assert recorder._backlog.bytes == 0


class StuckDisk:
    """Syncs of one file wait until `release` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.release = threading.Event()
        self.stuck: set[int] = set()
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def hang(self, recorder: SessionRecorder) -> None:
        file = recorder._files._current
        assert file is not None
        self.stuck.add(file.writer._descriptor)  # type: ignore[union-attr]

    def _sync(self, descriptor: int) -> None:
        if descriptor in self.stuck:
            self.release.wait(10)
        self._real(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[StuckDisk]:
    disk = StuckDisk(monkeypatch)
    yield disk
    disk.release.set()


async def test_a_write_that_hangs_ends_those_in_it_and_the_others_go_on(tmp_path: Path, disk: StuckDisk) -> None:
    recorder = await started(tmp_path, durable_limit_s=0.5)
    first, second, third = await opened(recorder, 3)
    await append_all(recorder, [first, second, third], 0)
    disk.hang(recorder)
    began = time.monotonic()
    stuck = [asyncio.ensure_future(recorder.append(session=one, frames=frames(1))) for one in (first, second)]
    await asyncio.sleep(0.25)
    # Submitted while the disk hangs: it waits for half of the limit, then gets a file that does not.
    await recorder.append(session=third, frames=frames(1))
    assert 0.4 < time.monotonic() - began < 0.75
    for append in stuck:
        with pytest.raises(RecorderFailed, match=r"not on disk within 0\.5 s"):
            await append
    assert len(logs(tmp_path)) == 2
    disk.release.set()
    await recorder.close(session=third, end=CLOSED)
    assert await read_recording(recorder, third) == [frames(0), frames(1)]
    for session in (first, second):
        status = await recorder.next_segment(session=session, after=-1, wait_s=0)
        assert status.end is not None
        assert status.end.reason is EndReason.RECORDER_FAILED
        assert await read_recording(recorder, session) == [frames(0)]
    for session in (first, second, third):
        await recorder.release(session=session)
    assert logs(tmp_path) == []
    assert recorder._backlog.bytes == 0
    await recorder.stop()


async def test_a_hung_disk_does_not_hold_up_the_shutdown(tmp_path: Path, disk: StuckDisk) -> None:
    recorder = await started(tmp_path, durable_limit_s=0.3)
    sessions = await opened(recorder, 2)
    await append_all(recorder, sessions, 0)
    disk.hang(recorder)
    pending = asyncio.ensure_future(recorder.append(session=sessions[0], frames=frames(1)))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await recorder.stop()
    with pytest.raises(RecorderFailed):
        await pending


async def test_a_failed_batch_ends_every_session_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = await started(tmp_path)
    sessions = await opened(recorder, 3)
    await append_all(recorder, sessions, 0)

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    results = await asyncio.gather(
        *(recorder.append(session=session, frames=frames(1)) for session in sessions[:2]), return_exceptions=True
    )
    assert [str(result) for result in results] == ["journal/00000000.log: Input/output error"] * 2
    monkeypatch.undo()
    # The third was not in it: it goes on, in another file.
    await recorder.append(session=sessions[2], frames=frames(1))
    await recorder.close(session=sessions[2], end=CLOSED)
    assert await read_recording(recorder, sessions[2]) == [frames(0), frames(1)]
    assert await read_recording(recorder, sessions[0]) == [frames(0)]
    await recorder.stop()
