import asyncio
import base64
from pathlib import Path

import pytest

from lucid.base.errors import Corrupted, NotFound, Unavailable
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.model.canonical import NO_DIGEST, digest_of
from lucid.model.chunk import ChunkHeader
from lucid.model.frame import Direction, Frame, encode_frames
from lucid.model.manifest import WrappedKey
from lucid.ports.recording import Sealed, SealJob
from lucid.recording.journal import RecordKind, SegmentWriter
from lucid.services.session_processor import service
from lucid.services.session_processor.keys import DataKeys
from lucid.services.session_processor.service import SessionProcessor
from lucid.services.session_processor.settings import SessionProcessorSettings
from lucid.services.session_storage.service import SessionStorage
from lucid.services.session_storage.settings import SessionStorageSettings
from lucid.wire.rdp.client import ClientHandshake
from tests.waiting import until_not

IDENTITY = age.new_identity()
DATA_KEY = bytes(range(32))
SESSION = new_session_id()
FRAMES = encode_frames(Frame(n, Direction.SERVER_TO_CLIENT, b"pixels" * 50) for n in range(50))


def wrapped(identity: Secret = IDENTITY) -> WrappedKey:
    to = age.recipient_of(identity)
    return WrappedKey(recipient=to, wrapped=age.wrap(DATA_KEY, to))


def job(index: int, key: WrappedKey) -> SealJob:
    return SealJob(
        session=SESSION, segment=index, complete=True, index=index, attempt=0, previous=NO_DIGEST, platform_key=key
    )


class Segments:
    """A Recorder that has segments 0, 1, 2, … of the same frames; number 9 has none."""

    def __init__(self) -> None:
        self.reading = self.most_reading = 0

    async def read_segment(self, *, session: str, number: int, memory: memoryview | None = None) -> bytes:
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        await asyncio.sleep(0.005)
        self.reading -= 1
        writer = SegmentWriter(DATA_KEY, session, number)
        frames = writer.record(RecordKind.FRAMES, FRAMES) if number != 9 else b""
        return frames + writer.record(RecordKind.SEGMENT_END, b"")


@pytest.fixture
def storage(tmp_path: Path) -> SessionStorage:
    return SessionStorage(SessionStorageSettings(), blobs=DiskBlobs(tmp_path))


def processor(storage: SessionStorage, segments: Segments, identity: Secret = IDENTITY) -> SessionProcessor:
    settings = SessionProcessorSettings(platform_identity=identity, jobs=2)
    return SessionProcessor(settings, recorder=segments, storage=storage)  # type: ignore[arg-type]


@pytest.mark.parametrize("at_once", [service.AT_ONCE_BYTES, 0])
async def test_a_segment_becomes_a_stored_chunk(
    storage: SessionStorage, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(service, "AT_ONCE_BYTES", at_once)
    chunk = (await processor(storage, Segments()).seal(job=job(3, wrapped()))).chunk
    assert chunk is not None
    data = await storage.get(digest=chunk.digest)
    assert (chunk.digest, chunk.size) == (digest_of(data), len(data))
    assert ChunkHeader.from_bytes(data).frames == chunk.frames == 50
    assert chunk.length == len(FRAMES)


async def test_a_segment_without_frames_is_stored_nowhere(storage: SessionStorage) -> None:
    assert await processor(storage, Segments()).seal(job=job(9, wrapped())) == Sealed(chunk=None)
    assert (await storage.usage()).chunks == 0


async def test_jobs_at_the_same_time_are_bounded(storage: SessionStorage) -> None:
    segments = Segments()
    service, key = processor(storage, segments), wrapped()
    await asyncio.gather(*(service.seal(job=job(n, key)) for n in range(8)))
    assert segments.most_reading == 3, "one more than jobs: it reads while they pack"
    assert (await storage.usage()).chunks == 8


async def test_a_job_that_nobody_waits_for_holds_up_no_other(
    storage: SessionStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(**_: object) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    service, key = processor(storage, Segments()), wrapped()
    monkeypatch.setattr(storage, "put", hangs)
    stuck = [asyncio.create_task(service.seal(job=job(n, key), wait_s=0.2)) for n in range(4)]
    await asyncio.wait(stuck, timeout=5)
    for task in stuck:
        assert isinstance(task.exception(), Unavailable)
    monkeypatch.undo()
    async with asyncio.timeout(5):
        assert (await service.seal(job=job(4, key))).chunk is not None


async def test_a_key_of_another_platform_is_no_corruption(storage: SessionStorage) -> None:
    service = processor(storage, Segments(), age.new_identity())
    with pytest.raises(Unavailable, match="the journal's key is wrapped to age1"):
        await service.seal(job=job(0, wrapped()))


async def test_a_key_that_does_not_open_is(storage: SessionStorage) -> None:
    damaged = wrapped().model_copy(update={"wrapped": "AAAA"})
    with pytest.raises(Corrupted):
        await processor(storage, Segments()).seal(job=job(0, damaged))


async def test_keys_are_kept_for_a_while_and_forgotten_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, key = DataKeys(IDENTITY, keep_s=0.2), wrapped()
    assert await keys.unwrap(key) == DATA_KEY
    monkeypatch.setattr(age, "unwrap", lambda *_: b"unwrapped again")
    assert await keys.unwrap(key) == DATA_KEY
    await until_not(lambda: len(keys))
    assert await keys.unwrap(key) == b"unwrapped again"


class TypedSegments(Segments):
    """Two segments in which a client typed."""

    async def read_segment(self, *, session: str, number: int, memory: memoryview | None = None) -> bytes:
        if number > 1:
            raise NotFound(f"segment {number}")
        client = ClientHandshake(username="", password=Secret(""))
        typed = client.text(("a line\nhalf of ", "the next")[number])
        frames = encode_frames([Frame(5, Direction.CLIENT_TO_SERVER, typed)])
        writer = SegmentWriter(DATA_KEY, session, number)
        return writer.record(RecordKind.FRAMES, frames) + writer.record(RecordKind.SEGMENT_END, b"")


async def test_typed_text_comes_with_the_chunk_when_it_is_asked_for(storage: SessionStorage) -> None:
    service, first, second = processor(storage, TypedSegments()), job(0, wrapped()), job(1, wrapped())
    began = await service.seal(job=first.model_copy(update={"typing": ""}))
    assert [line.text for line in began.lines] == ["a line"]
    assert began.typing is not None
    assert b"half" not in base64.b64decode(began.typing)
    rest = second.model_copy(update={"typing": began.typing, "last": True})
    ended = await service.seal(job=rest)  # the segment was packed ahead
    assert [line.text for line in ended.lines] == ["half of the next"]
    await service.stop()


async def test_typed_text_is_not_read_unasked(storage: SessionStorage) -> None:
    service = processor(storage, TypedSegments())
    sealed = await service.seal(job=job(0, wrapped()))
    assert (sealed.lines, sealed.layout, sealed.typing) == ((), "", None)
    await service.stop()


@pytest.mark.parametrize("damaged", ["AAAA", "no base64", base64.b64encode(bytes(60)).decode()])
async def test_a_state_that_does_not_open_costs_text_and_no_chunk(storage: SessionStorage, damaged: str) -> None:
    service = processor(storage, TypedSegments())
    sealed = await service.seal(job=job(1, wrapped()).model_copy(update={"typing": damaged, "last": True}))
    assert sealed.chunk is not None
    assert [line.text for line in sealed.lines] == ["the next"]
    await service.stop()
