import pytest

from lucid.base.ids import new_session_id
from lucid.crypto import merkle
from lucid.model.chunk import ChunkRecord
from lucid.model.manifest import Manifest, WrappedKey
from lucid.model.policy import Policy
from lucid.model.session import EndReason, RecorderNumber, Session, SessionEnd, SessionState
from lucid.ports.recording import RecordingStart
from lucid.recording.lifecycle import SessionRecord
from lucid.recording.manifest import build_manifest, closing_time, opening_statement

OPENED = "2026-11-22T21:42:00.000000Z"
LATER = "2026-11-22T21:44:00.000000Z"
EARLIER = "2026-11-22T20:00:00.000000Z"
POLICY = Policy(total_limit_s=3600)
KEY = WrappedKey(recipient="age1owner", wrapped="AAAA")
START = RecordingStart(
    recorder=RecorderNumber(id="rec-1", sequence=41),
    platform_key=WrappedKey(recipient="age1p", wrapped=""),
    keys=(KEY,),
)
END = SessionEnd(reason=EndReason.CLIENT_CLOSED)
CHUNKS = [
    ChunkRecord(
        digest=f"{n:064x}", size=100 + n, index=n, attempt=0, first_us=10 * n, last_us=10 * n + 9, frames=5, length=900
    )
    for n in range(3)
]


@pytest.fixture
def opening() -> SessionRecord:
    return SessionRecord(
        id=new_session_id(),
        user="admin",
        host="demo",
        policy=POLICY.digest(),
        rules=POLICY,
        state=SessionState.OPENING,
        opened=OPENED,
        closes_by=closing_time(OPENED, POLICY),
    )


@pytest.fixture
def recording(opening: SessionRecord) -> SessionRecord:
    return opening.numbered(START).recording(opened_index=12)


def test_the_way_to_proven(recording: SessionRecord) -> None:
    record = recording.begin_sealing([]).ended(END, LATER).sealed(CHUNKS).anchored(14, "ab" * 32).proven()
    assert record.state is SessionState.PROVEN
    assert (record.frames, record.recorded_bytes, record.stored_bytes) == (15, 2700, 303)
    assert (record.opened_index, record.closed_index) == (12, 14)
    assert record.recorder == START.recorder
    assert "age1p" not in record.model_dump_json()  # the platform's key is gone


def test_only_forward(recording: SessionRecord) -> None:
    sealing = recording.ended(END, LATER)
    with pytest.raises(ValueError, match="no step from sealing to recording"):
        sealing.recording(12)
    with pytest.raises(ValueError, match="no step from recording to proven"):
        recording.proven()
    with pytest.raises(ValueError, match="no step from recording to failed"):
        recording.failed("a recording was begun, so it must be anchored")


def test_each_beginning_of_a_sealing_has_its_own_attempt(recording: SessionRecord) -> None:
    record, seen = recording, []
    for chunks in ([], [], CHUNKS[:1], CHUNKS[:2], CHUNKS[:2], CHUNKS[:2]):
        record = SessionRecord.model_validate_json(record.begin_sealing(chunks).model_dump_json())
        assert record.sealing is not None
        seen.append((record.sealing.index, record.sealing.attempt))
    assert seen == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2)]


def test_closed_is_never_before_opened(recording: SessionRecord) -> None:
    assert recording.ended(END, EARLIER).closed == OPENED
    assert recording.corrupted("damaged", EARLIER, []).closed == OPENED


def test_corruption_takes_the_place_of_the_end(recording: SessionRecord) -> None:
    record = recording.ended(END, LATER).corrupted("segment 3: record 2 does not open", EARLIER, CHUNKS)
    assert record.state is SessionState.ANCHORING
    assert record.closed == LATER
    assert record.end == SessionEnd(
        reason=EndReason.STORE_CORRUPTED, detail="segment 3: record 2 does not open (ended as client-closed)"
    )


def test_a_long_error_is_cut(recording: SessionRecord) -> None:
    record = recording.waiting("x" * 1000).corrupted("y" * 1000, LATER, [])
    assert len(record.error) == 500
    assert SessionRecord.model_validate_json(record.model_dump_json()) == record


def test_everybody_sees_a_session_without_its_keys(recording: SessionRecord) -> None:
    public = recording.public(CHUNKS)
    assert type(public) is Session
    assert public.chunks == tuple(CHUNKS)
    assert "wrapped" not in public.model_dump_json()
    assert Session.model_validate_json(public.model_dump_json()) == public


def test_statement(recording: SessionRecord) -> None:
    statement = opening_statement(recording)
    assert statement.closes_by == "2026-11-22T22:57:00.000000Z"
    assert (statement.recorder, statement.opened, statement.policy) == (START.recorder, OPENED, POLICY.digest())


def test_manifest(recording: SessionRecord) -> None:
    manifest = build_manifest(recording.ended(END, LATER).sealed(CHUNKS), CHUNKS)
    assert (manifest.frames, manifest.duration_us) == (15, 29)
    assert (manifest.bytes.recorded, manifest.bytes.stored) == (2700, 303)
    assert manifest.chunks.root == merkle.root(chunk.to_bytes() for chunk in CHUNKS).hex()
    assert manifest.keys == (KEY,)
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


def test_manifest_of_nothing(recording: SessionRecord) -> None:
    manifest = build_manifest(recording.ended(END, LATER).sealed([]), [])
    assert (manifest.frames, manifest.duration_us, manifest.chunks.count) == (0, 0, 0)
    assert manifest.chunks.root == merkle.EMPTY_ROOT.hex()


def test_no_manifest_of_a_session_that_goes_on(recording: SessionRecord) -> None:
    with pytest.raises(ValueError, match="has not ended"):
        build_manifest(recording, [])
