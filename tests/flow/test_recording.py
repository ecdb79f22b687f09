"""The whole line of data, without a socket or a disk. A good first thing to read.

Frame -> record -> Segment -> seal -> SealedChunk -> store -> StoredChunk
      -> anchor -> Manifest -> append -> Block + Checkpoint -> prove -> Proof -> verify
"""

import os

from lucid.base.clock import SystemClock
from lucid.base.ids import new_session_id
from lucid.chain.rules import form_slot
from lucid.chain.session_entries import closing_entry, opening_entry, prove_entry
from lucid.crypto import age
from lucid.crypto.merkle import leaf_hash
from lucid.crypto.note import SignerKey, open_note
from lucid.model.bundle import Bundle
from lucid.model.canonical import NO_DIGEST, digest_of
from lucid.model.frame import Direction, Frame, decode_frames, encode_frames
from lucid.model.manifest import WrappedKey
from lucid.model.policy import Policy
from lucid.model.session import EndReason, RecorderNumber, SessionEnd, SessionState
from lucid.model.tlog import Checkpoint
from lucid.ports.log import TreeState
from lucid.ports.recording import RecordingStart, SealJob
from lucid.recording.journal import RecordKind, SegmentWriter
from lucid.recording.lifecycle import SessionRecord
from lucid.recording.manifest import build_manifest, closing_time, opening_statement
from lucid.recording.reading import data_key_of, open_chunk
from lucid.recording.sealing import seal_segment
from lucid.verify.verifier import verify_bundle

FRAMES = [
    Frame(0, Direction.EVENT, b'{"event":"start","height":600,"protocol":"rdp","width":800}'),
    Frame(16_000, Direction.SERVER_TO_CLIENT, b"a screen" * 1000),
    Frame(250_000, Direction.CLIENT_TO_SERVER, b"a key"),
]


def test_a_recording_from_its_first_frame_to_its_proof() -> None:
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

    # The log takes an entry for each, and publishes them under a signed block and checkpoint.
    log_key = SignerKey.generate("lucid.example/log")
    entries = [
        opening_entry(statement, actor="session-pipeline").to_bytes(),
        closing_entry(manifest, now=SystemClock().now(), actor="session-pipeline").to_bytes(),
    ]
    slot = form_slot(TreeState(), entries, time=SystemClock().now(), signer=log_key, proposer="blockchain-engine")
    tree = Checkpoint.from_text(open_note(slot.checkpoint, log_key.verifier))

    # The bundle proves that both are in the log; with two entries, the path of each is the other's hash.
    opening, closing = (
        prove_entry(entry, index, [leaf_hash(entries[1 - index])], tree, slot.checkpoint)
        for index, entry in enumerate(entries)
    )
    bundle = Bundle(
        manifest=manifest, opening=statement, chunks=(chunk,), opened=opening, closed=closing, block=slot.block
    )

    # Anybody verifies it with the log's key alone; a manifest that was touched is refused, and where.
    assert verify_bundle(bundle.to_bytes(), log_key.verifier).verified
    forged = bundle.model_copy(update={"manifest": manifest.model_copy(update={"user": "mallory"})})
    failure = verify_bundle(forged.to_bytes(), log_key.verifier).failure
    assert failure is not None
    assert (failure.number, failure.name) == (5, "manifest")

    # Years later, the owner's identity alone opens the recording.
    assert list(decode_frames(open_chunk(data_key_of(manifest, owner), sealed.data))) == FRAMES
