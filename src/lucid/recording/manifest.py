"""What the log commits to of a session: the opening statement and the manifest (docs/format.md sections 4, 5).

Both are functions of the session's record alone, so that anchoring repeated after a crash repeats every byte.
"""

from collections.abc import Sequence

from lucid.base.clock import shift_time
from lucid.crypto import merkle
from lucid.model.chunk import ChunkRecord
from lucid.model.manifest import ByteCounts, ChunkTree, Manifest, OpeningStatement
from lucid.model.policy import Policy
from lucid.recording.lifecycle import SessionRecord

CLOSING_MARGIN_S = 15 * 60
"""How long after the policy's total limit a session's closing may be in the log."""


def closing_time(opened: str, policy: Policy) -> str:
    """`closes_by` of a session."""
    return shift_time(opened, policy.total_limit_s + CLOSING_MARGIN_S)


def opening_statement(record: SessionRecord) -> OpeningStatement:
    """The body of `session.opened`, of a session that has a recorder's number."""
    return OpeningStatement(
        session=record.id,
        user=record.user,
        host=record.host,
        policy=record.policy,
        recorder=record.begun.recorder,
        opened=record.opened,
        closes_by=record.closes_by,
    )


def build_manifest(record: SessionRecord, chunks: Sequence[ChunkRecord]) -> Manifest:
    """The body of `session.closed`, of a session that has ended with these chunks."""
    if record.closed is None or record.end is None:
        raise ValueError(f"session {record.id} has not ended")
    return Manifest(
        session=record.id,
        user=record.user,
        host=record.host,
        policy=record.policy,
        recorder=record.begun.recorder,
        opened=record.opened,
        closed=record.closed,
        end=record.end,
        duration_us=chunks[-1].last_us if chunks else 0,
        frames=sum(chunk.frames for chunk in chunks),
        bytes=ByteCounts(
            recorded=sum(chunk.length for chunk in chunks),
            stored=sum(chunk.size for chunk in chunks),
        ),
        chunks=ChunkTree(count=len(chunks), root=merkle.root(chunk.to_bytes() for chunk in chunks).hex()),
        keys=record.begun.keys,
    )
