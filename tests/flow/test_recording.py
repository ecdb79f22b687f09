"""The line of data, from frames to a manifest, without a socket or a disk. A good first thing to read.

Frame -> record -> Segment -> seal -> SealedChunk -> store -> StoredChunk -> Manifest
"""

import os

from zstandard import ZstdDecompressor

from lucid.base.clock import SystemClock
from lucid.base.ids import new_session_id
from lucid.crypto import aead, age
from lucid.model.canonical import NO_DIGEST, digest_of
from lucid.model.chunk import HEADER_BYTES, ChunkHeader
from lucid.model.frame import Direction, Frame, decode_frames, encode_frames
from lucid.model.manifest import WrappedKey
from lucid.model.policy import Policy
from lucid.model.session import EndReason, RecorderNumber, SessionEnd, SessionState
from lucid.ports.recording import RecordingStart, SealJob
from lucid.recording.journal import RecordKind, SegmentWriter
from lucid.recording.lifecycle import SessionRecord
from lucid.recording.manifest import build_manifest, closing_time, opening_statement
from lucid.recording.sealing import seal_segment

FRAMES = [
    Frame(0, Direction.EVENT, b'{"event":"start","height":600,"protocol":"rdp","width":800}'),
    Frame(16_000, Direction.SERVER_TO_CLIENT, b"a screen" * 1000),
    Frame(250_000, Direction.CLIENT_TO_SERVER, b"a key"),
]


def test_a_recording_from_its_first_frame_to_its_manifest() -> None:
    # The recorder gives the session a number and a key, and wraps the key for the platform and the owner.
    session, data_key = new_session_id(), os.urandom(32)
    owner, platform = age.new_identity(), age.new_identity()
    wrapped = [
        WrappedKey(recipient=to, wrapped=age.wrap(data_key, to)) for to in map(age.recipient_of, (platform, owner))
    ]
    start = RecordingStart(recorder=RecorderNumber(id="rec-1", sequence=1), platform_key=wrapped[0], keys=(wrapped[1],))

    # The gateway's frames become encrypted records of the session's journal; a closed segment ends with its own.
    writer = SegmentWriter(data_key, session, 0)
    journal = [writer.record(RecordKind.FRAMES, encode_frames([frame])) for frame in FRAMES]
    segment = b"".join([*journal, writer.record(RecordKind.SEGMENT_END, b"")])

    # The segment is sealed: opened, compressed, encrypted, bound to its session and place.
    job = SealJob(
        session=session, segment=0, complete=True, index=0, attempt=0, previous=NO_DIGEST, platform_key=wrapped[0]
    )
    sealed = seal_segment(job, data_key, segment)
    assert sealed is not None
    assert len(sealed.data) < len(segment)

    # A store names the chunk by its digest.
    chunk = sealed.record(digest_of(sealed.data))

    # The pipeline keeps the session's state, and states what was opened and what came of it.
    opened = SystemClock().now()
    policy = Policy(total_limit_s=3600)
    record = SessionRecord(
        id=session,
        user="admin",
        host="demo",
        policy=policy.digest(),
        rules=policy,
        state=SessionState.OPENING,
        opened=opened,
        closes_by=closing_time(opened, policy),
    ).numbered(start)
    statement = opening_statement(record)
    record = record.recording(opened_index=0).ended(SessionEnd(reason=EndReason.CLIENT_CLOSED), SystemClock().now())
    manifest = build_manifest(record.sealed([chunk]), [chunk])
    assert (manifest.frames, manifest.duration_us, manifest.chunks.count) == (3, 250_000, 1)
    assert (manifest.session, manifest.recorder) == (statement.session, statement.recorder)

    # Years later, the owner's identity alone opens the recording.
    key = age.unwrap(manifest.keys[0].wrapped, owner)
    header = ChunkHeader.from_bytes(sealed.data)
    compressed = aead.open(key, header.nonce(), sealed.data[HEADER_BYTES:], sealed.data[:HEADER_BYTES])
    assert list(decode_frames(ZstdDecompressor().decompress(compressed))) == FRAMES
