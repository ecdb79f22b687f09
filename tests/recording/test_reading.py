"""Reading a recording back needs the right identity and intact chunks."""

import os

import pytest

from lucid.base.errors import Corrupted, Forbidden, InvalidInput
from lucid.base.ids import new_session_id
from lucid.crypto import age
from lucid.model.canonical import NO_DIGEST, canonical_json
from lucid.model.frame import Direction, Frame, encode_frames
from lucid.model.manifest import Manifest, WrappedKey
from lucid.ports.recording import SealJob
from lucid.recording.journal import RecordKind, SegmentWriter
from lucid.recording.reading import data_key_of, open_chunk
from lucid.recording.sealing import seal_segment

FRAMES = encode_frames([Frame(0, Direction.SERVER_TO_CLIENT, b"a screen" * 100)])


def wrap(data_key: bytes, recipient: str) -> WrappedKey:
    return WrappedKey(recipient=recipient, wrapped=age.wrap(data_key, recipient))


def sealed(data_key: bytes) -> bytes:
    key = wrap(data_key, age.recipient_of(age.new_identity()))
    job = SealJob(
        session=new_session_id(), segment=0, complete=True, index=0, attempt=0, previous=NO_DIGEST, platform_key=key
    )
    writer = SegmentWriter(data_key, job.session, 0)
    segment = writer.record(RecordKind.FRAMES, FRAMES) + writer.record(RecordKind.SESSION_END, b"client-closed")
    chunk = seal_segment(job, data_key, segment)
    assert chunk is not None
    return chunk.data


def manifest(*keys: WrappedKey) -> Manifest:
    time, digest = "2026-11-22T21:42:00.000000Z", "0" * 64
    return Manifest.from_bytes(
        canonical_json(
            {
                "format": "lucid-manifest/1",
                "session": new_session_id(),
                "user": "ann",
                "host": "office",
                "policy": digest,
                "recorder": {"id": "rec-1", "sequence": 1},
                "opened": time,
                "closed": time,
                "end": {"reason": "client-closed", "detail": ""},
                "duration_us": 0,
                "frames": 0,
                "bytes": {"recorded": 0, "stored": 0},
                "chunks": {"count": 0, "root": digest},
                "keys": [key.model_dump() for key in keys],
            }
        )
    )


def test_each_recipient_finds_the_key() -> None:
    data_key, identities = os.urandom(32), [age.new_identity() for _ in range(3)]
    found = manifest(*(wrap(data_key, age.recipient_of(identity)) for identity in identities))
    assert {data_key_of(found, identity) for identity in identities} == {data_key}


def test_a_stranger_is_told_that_it_is_not_for_him() -> None:
    stranger = age.new_identity()
    with pytest.raises(Forbidden, match=age.recipient_of(stranger)):
        data_key_of(manifest(), stranger)


def test_a_chunk_opens_with_its_key_alone() -> None:
    data_key = os.urandom(32)
    chunk = sealed(data_key)
    assert open_chunk(data_key, chunk) == FRAMES
    with pytest.raises(Corrupted):
        open_chunk(os.urandom(32), chunk)


@pytest.mark.parametrize("position", [30, 60, 99, 100, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    data_key = os.urandom(32)
    chunk = bytearray(sealed(data_key))
    chunk[position] ^= 1
    with pytest.raises(Corrupted):
        open_chunk(data_key, bytes(chunk))


def test_what_is_no_chunk_is_bad_input() -> None:
    with pytest.raises(InvalidInput):
        open_chunk(os.urandom(32), b"LUCIDCK1")
