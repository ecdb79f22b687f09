import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from zstandard import ZstdDecompressor

from lucid.base.errors import Corrupted, LucidError, NotFound, RecorderFailed, StorageFull, Unavailable
from lucid.base.ids import new_session_id
from lucid.crypto import aead, age
from lucid.model.canonical import NO_DIGEST
from lucid.model.chunk import HEADER_BYTES, ChunkHeader, ChunkRecord
from lucid.model.manifest import Manifest
from lucid.model.session import EndReason, SessionState
from lucid.services.session_pipeline.worker import Worker
from tests.files import files_holding
from tests.services.session_pipeline.pipeline_kit import (
    CLOSED,
    GRANT,
    OWNER,
    POLICY,
    FakeLog,
    RecordingPath,
    TurnedClock,
    eventually,
    frame_bytes,
)


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[RecordingPath]:
    path = RecordingPath(tmp_path, FakeLog(), clock=TurnedClock())
    await path.start()
    yield path
    await path.stop()


async def recorded(path: RecordingPath, manifest: Manifest, chunks: list[ChunkRecord]) -> bytes:
    """All frames of a recording, opened with the owner's identity; headers are checked on the way."""
    key = age.unwrap(manifest.keys[0].wrapped, OWNER)
    previous, frames = NO_DIGEST, b""
    for index, chunk in enumerate(chunks):
        data = await path.storage.get(digest=chunk.digest)
        header = ChunkHeader.from_bytes(data)
        assert (header.session, header.index, header.previous.hex()) == (manifest.session, index, previous)
        assert chunk.attempt == header.attempt
        compressed = aead.open(key, header.nonce(), data[HEADER_BYTES:], data[:HEADER_BYTES])
        frames += ZstdDecompressor().decompress(compressed)
        previous = chunk.digest
    return frames


async def test_a_session_from_opened_to_proven(path: RecordingPath) -> None:
    opened = await path.pipeline.open(grant=GRANT)
    session = opened.session
    assert [(s.session, s.recorder.sequence, s.opened) for s in path.log.openings] == [(session, 1, opened.opened)]
    assert path.log.bodies[path.log.openings[0].policy] == POLICY.to_bytes()
    frames = [frame_bytes(n, 40_000) for n in range(5)]
    for frame in frames:
        await path.recorder.append(session=session, frames=frame)
    assert (await path.pipeline.get(session=session)).state is SessionState.RECORDING
    await path.pipeline.end(session=session, end=CLOSED)
    manifest, chunks = await path.proven(session)
    assert (manifest.end, manifest.frames, manifest.duration_us) == (CLOSED, 5, 4000)
    assert [chunk.attempt for chunk in chunks] == [0, 0, 0]
    assert await recorded(path, manifest, chunks) == b"".join(frames)
    seen = await path.pipeline.get(session=session)
    assert (seen.manifest, seen.error, seen.frames) == (manifest.digest(), "", 5)
    await path.released()
    states = [event["state"] for topic, event in path.bus.events if topic == "sessions"]
    assert states == ["opening", "recording", "sealing", "anchoring", "proven"]


async def test_a_session_without_frames(path: RecordingPath) -> None:
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.pipeline.end(session=session, end=CLOSED)
    manifest, chunks = await path.proven(session)
    assert (manifest.frames, chunks) == (0, [])


async def test_sessions_are_listed_newest_first(path: RecordingPath) -> None:
    sessions = []
    for _ in range(3):
        sessions.append((await path.pipeline.open(grant=GRANT)).session)
        await asyncio.sleep(0.002)
    await path.pipeline.end(session=sessions[0], end=CLOSED)
    await path.proven(sessions[0])
    assert [s.id for s in await path.pipeline.list()] == sessions[::-1]
    assert [s.id for s in await path.pipeline.list(state="recording", limit=1)] == [sessions[2]]
    assert [s.id for s in await path.pipeline.list(after=sessions[1])] == [sessions[0]]
    with pytest.raises(NotFound):
        await path.pipeline.get(session=new_session_id())
    with pytest.raises(NotFound):
        await path.pipeline.end(session=new_session_id(), end=CLOSED)


async def test_openings_stand_in_the_order_of_their_numbers(
    path: RecordingPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, calls = path.log.put, 0

    async def first_is_slowest(*, body: bytes) -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.1 / calls)
        return await put(body=body)

    monkeypatch.setattr(path.log, "put", first_is_slowest)
    await asyncio.gather(*(path.pipeline.open(grant=GRANT) for _ in range(8)))
    assert [statement.recorder.sequence for statement in path.log.openings] == list(range(1, 9))


async def test_an_opening_that_cannot_be_anchored_is_refused_and_anchored_later(path: RecordingPath) -> None:
    path.log.down = True
    with pytest.raises(Unavailable, match="the log does not answer"):
        await path.pipeline.open(grant=GRANT)
    with pytest.raises(Unavailable, match="an earlier session's opening is not in the log yet"):
        await path.pipeline.open(grant=GRANT)
    path.log.down = False
    (session,) = await path.pipeline.list()
    manifest, _ = await path.proven(session.id)
    assert manifest.end.reason is EndReason.INTERRUPTED
    following = await path.pipeline.open(grant=GRANT)
    assert [statement.recorder.sequence for statement in path.log.openings] == [1, 2]
    await path.pipeline.end(session=following.session, end=CLOSED)
    await path.proven(following.session)


async def test_without_a_recorder_there_is_no_session(path: RecordingPath, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(**_: object) -> None:
        raise StorageFull("No space left on device")

    monkeypatch.setattr(path.recorder, "open", full)
    with pytest.raises(StorageFull):
        await path.pipeline.open(grant=GRANT)
    (session,) = await path.pipeline.list()
    assert (await path.pipeline.wait(session=session.id, wait_s=5)).state is SessionState.FAILED
    assert path.log.openings == []
    monkeypatch.undo()
    await path.pipeline.open(grant=GRANT)


async def test_a_failure_of_the_recorder_is_anchored_when_the_log_is_back(
    path: RecordingPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.recorder.append(session=session, frames=frame_bytes(0))
    path.log.down = True

    async def full(_self: object, *_parts: bytes) -> None:
        raise StorageFull("No space left on device")

    monkeypatch.setattr("lucid.drivers.disk.folder.DiskAppendFile.append", full)
    with pytest.raises(RecorderFailed):
        await path.recorder.append(session=session, frames=frame_bytes(1))
    await path.pipeline.end(session=session, end=CLOSED)
    monkeypatch.undo()
    await eventually(lambda: path.pipeline.get(session=session), lambda seen: seen.error == "the log does not answer")
    path.log.down = False
    manifest, _ = await path.proven(session)
    assert manifest.end.reason is EndReason.RECORDER_FAILED
    assert "No space left" in manifest.end.detail
    assert manifest.frames == 1


@pytest.mark.parametrize("error", [Unavailable("the store does not answer"), StorageFull("the store is full")])
async def test_a_store_that_is_gone_while_sealing_is_waited_for(
    path: RecordingPath, monkeypatch: pytest.MonkeyPatch, error: LucidError
) -> None:
    async def gone(*, chunk: bytes) -> str:
        raise error

    monkeypatch.setattr(path.storage, "put", gone)
    session = (await path.pipeline.open(grant=GRANT)).session
    frames = [frame_bytes(n, 70_000) for n in range(2)]
    for frame in frames:
        await path.recorder.append(session=session, frames=frame)
    await path.pipeline.end(session=session, end=CLOSED)
    await eventually(lambda: path.pipeline.get(session=session), lambda seen: seen.error == error.detail)
    monkeypatch.undo()
    manifest, chunks = await path.proven(session)
    assert chunks[0].attempt > 0
    assert await recorded(path, manifest, chunks) == b"".join(frames)
    assert (await path.pipeline.get(session=session)).error == ""


async def test_a_damaged_segment_ends_the_chunk_list(path: RecordingPath, monkeypatch: pytest.MonkeyPatch) -> None:
    read = path.recorder.read_segment

    async def damaged(*, session: str, number: int, memory: memoryview | None = None) -> bytes:
        data = bytes(await read(session=session, number=number, memory=memory))
        return data if number != 1 else data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]

    monkeypatch.setattr(path.recorder, "read_segment", damaged)
    session = (await path.pipeline.open(grant=GRANT)).session
    for n in range(4):
        await path.recorder.append(session=session, frames=frame_bytes(n, 70_000))
    await path.pipeline.end(session=session, end=CLOSED)
    manifest, chunks = await path.proven(session)
    assert len(chunks) == 1
    assert manifest.end.reason is EndReason.STORE_CORRUPTED
    assert "segment 1: record 0 does not open" in manifest.end.detail


async def test_a_damaged_journal_ends_a_live_recording(path: RecordingPath, monkeypatch: pytest.MonkeyPatch) -> None:
    async def damaged(**_: object) -> bytes:
        raise Corrupted("segment 0: does not open")

    monkeypatch.setattr(path.processor, "seal", damaged)
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.recorder.append(session=session, frames=frame_bytes(0, 70_000))
    manifest, _ = await path.proven(session)
    assert manifest.end.reason is EndReason.STORE_CORRUPTED
    with pytest.raises((RecorderFailed, NotFound)):
        await path.recorder.append(session=session, frames=frame_bytes(1))


async def test_a_clock_set_back_does_not_close_before_opening(path: RecordingPath) -> None:
    assert isinstance(path.clock, TurnedClock)
    session = (await path.pipeline.open(grant=GRANT)).session
    path.clock.offset_s = -7200
    await path.recorder.append(session=session, frames=frame_bytes(0))
    await path.pipeline.end(session=session, end=CLOSED)
    manifest, _ = await path.proven(session)
    assert manifest.closed == manifest.opened


async def test_a_recording_that_nobody_ends_is_closed(path: RecordingPath, monkeypatch: pytest.MonkeyPatch) -> None:
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.recorder.append(session=session, frames=frame_bytes(0))
    monkeypatch.setattr(Worker, "_left_s", lambda *_: 0.0)
    manifest, _ = await path.proven(session)
    assert manifest.end.reason is EndReason.INTERRUPTED
    assert manifest.end.detail.startswith("no end was reported by 20")
    assert manifest.frames == 1


async def test_an_end_is_told_to_the_recorder_later(path: RecordingPath, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(**_: object) -> None:
        raise Unavailable("the recorder does not answer")

    session = (await path.pipeline.open(grant=GRANT)).session
    monkeypatch.setattr(path.recorder, "close", gone)
    await path.pipeline.end(session=session, end=CLOSED)
    monkeypatch.undo()
    manifest, _ = await path.proven(session)
    assert manifest.end == CLOSED


async def test_a_pipeline_restarted_alone_goes_on_with_live_recordings(path: RecordingPath) -> None:
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.recorder.append(session=session, frames=frame_bytes(0))
    pipeline_app = path._apps[-1]
    await pipeline_app.stop()
    await path.recorder.append(session=session, frames=frame_bytes(1, 70_000))
    await path.restart_pipeline()
    await path.recorder.append(session=session, frames=frame_bytes(2))
    assert (await path.pipeline.get(session=session)).state is SessionState.RECORDING
    await path.pipeline.end(session=session, end=CLOSED)
    manifest, _ = await path.proven(session)
    assert (manifest.end, manifest.frames) == (CLOSED, 3)


async def test_an_end_that_comes_before_recovery_is_not_lost(
    path: RecordingPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.recorder.append(session=session, frames=frame_bytes(0))
    await path._apps[-1].stop()
    recordings, asked, go_on = path.recorder.recordings, asyncio.Event(), asyncio.Event()

    async def slow() -> list[str]:
        asked.set()
        await go_on.wait()
        return await recordings()

    monkeypatch.setattr(path.recorder, "recordings", slow)
    await path.restart_pipeline()
    async with asyncio.timeout(5):
        await asked.wait()
    ending = asyncio.create_task(path.pipeline.end(session=session, end=CLOSED))
    await asyncio.wait({ending}, timeout=0.05)
    go_on.set()
    await ending
    manifest, _ = await path.proven(session)
    assert manifest.end == CLOSED


async def test_what_the_platform_could_open_a_recording_with_is_forgotten(tmp_path: Path) -> None:
    path = RecordingPath(tmp_path, FakeLog())
    await path.start()
    session = (await path.pipeline.open(grant=GRANT)).session
    await path.recorder.append(session=session, frames=frame_bytes(0))
    wrapped = (await path.recorder.start_of(session=session)).platform_key.wrapped.encode()
    assert files_holding(tmp_path, wrapped)
    await path.pipeline.end(session=session, end=CLOSED)
    await path.proven(session)
    await path.released()
    await path.stop()
    assert not files_holding(tmp_path, wrapped)


async def test_a_stored_session_that_is_damaged_is_named(path: RecordingPath) -> None:
    session = (await path.pipeline.open(grant=GRANT)).session
    stored = await path.documents.get("sessions", session)
    await path.documents.replace("sessions", session, stored.body | {"opened": "yesterday"}, version=stored.version)
    with pytest.raises(Corrupted, match=f"session {session} cannot be read: opened"):
        await path.pipeline.get(session=session)
