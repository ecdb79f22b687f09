"""What a session leaves in the log: its opening and closing entries, and their proofs."""

import base64
from collections.abc import Sequence

from lucid.base.errors import Corrupted
from lucid.base.ids import Name
from lucid.crypto.merkle import leaf_hash, verify_inclusion
from lucid.crypto.proof import TlogProof
from lucid.model.bundle import ProvenEntry
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry
from lucid.model.manifest import Manifest, OpeningStatement
from lucid.model.tlog import Checkpoint


def opening_entry(statement: OpeningStatement, *, actor: Name) -> LogEntry:
    """The entry that commits to an opening statement."""
    return LogEntry(
        type=SESSION_OPENED,
        time=statement.opened,
        actor=actor,
        body=statement.digest(),
        session=statement.session,
        recorder=statement.recorder.id,
        sequence=statement.recorder.sequence,
        closes_by=statement.closes_by,
    )


def closing_entry(manifest: Manifest, *, now: str, actor: Name) -> LogEntry:
    """The entry that commits to a manifest. Its time is `now`, but never before the session was closed."""
    return LogEntry(
        type=SESSION_CLOSED,
        time=max(now, manifest.closed),
        actor=actor,
        body=manifest.digest(),
        session=manifest.session,
        recorder=manifest.recorder.id,
        sequence=manifest.recorder.sequence,
    )


def prove_entry(entry: bytes, index: int, path: Sequence[bytes], tree: Checkpoint, note: str) -> ProvenEntry:
    """The entry with its proof under the checkpoint `note`, whose tree is `tree`. Raises Corrupted when the
    path does not lead there: nothing leaves that would not verify."""
    if not verify_inclusion(leaf_hash(entry), index, tree.size, path, tree.root):
        raise Corrupted(f"entry {index} of the log is not the one that was acknowledged")
    proof = TlogProof(index, tuple(path), note)
    return ProvenEntry(entry=base64.b64encode(entry).decode(), proof=proof.to_text())
