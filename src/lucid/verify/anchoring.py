"""Steps 1 to 7: opening, closing and manifest are what the log committed to. Pure rules on the bundle."""

import base64
import binascii

from lucid.crypto.merkle import leaf_hash, verify_inclusion
from lucid.crypto.note import open_note
from lucid.crypto.proof import TlogProof
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry, is_ahead
from lucid.model.tlog import Block
from lucid.verify.case import BundleCase, part, require, signed_checkpoint
from lucid.verify.report import StepFailed


def checkpoint(case: BundleCase) -> str:
    """Both proofs carry one checkpoint, signed by the key."""
    case.opening_proof = _proof(case.bundle.opened.proof, "the opening's proof")
    case.closing_proof = _proof(case.bundle.closed.proof, "the closing's proof")
    require(
        case.opening_proof.checkpoint == case.closing_proof.checkpoint,
        "the two proofs carry different checkpoints",
    )
    head = signed_checkpoint(case.opening_proof.checkpoint, case.key, "the bundle's checkpoint")
    case.bundle_head = head
    return f"{head.origin}, {head.size} entries"


def opening_inclusion(case: BundleCase) -> str:
    """The opening entry is in the checkpoint's tree."""
    case.opening_entry = _entry(case.bundle.opened.entry, "the opening entry")
    _included(case, case.opening_entry, case.opening_proof, "opening")
    return f"entry {case.opening_proof.index}"


def closing_inclusion(case: BundleCase) -> str:
    """The closing entry is in the checkpoint's tree, after the opening."""
    case.closing_entry = _entry(case.bundle.closed.entry, "the closing entry")
    _included(case, case.closing_entry, case.closing_proof, "closing")
    opened, closed = case.opening_proof.index, case.closing_proof.index
    require(opened < closed, f"the closing is entry {closed}, not after the opening, entry {opened}")
    return f"entry {closed}"


def opening(case: BundleCase) -> str:
    """The opening entry commits to the opening statement."""
    statement = case.bundle.opening
    with part("the opening entry"):
        entry = LogEntry.from_bytes(case.opening_entry)
    _agree("the entry", entry.type, "the type must be", SESSION_OPENED)
    _agree("the entry's body", entry.body, "the opening statement's digest is", statement.digest())
    _agree("the entry's session", entry.session, "the opening statement says", statement.session)
    _agree("the entry's recorder", entry.recorder, "the opening statement says", statement.recorder.id)
    _agree("the entry's sequence", entry.sequence, "the opening statement says", statement.recorder.sequence)
    _agree("the entry's closes_by", entry.closes_by, "the opening statement says", statement.closes_by)
    _agree("the entry's time", entry.time, "the opening statement says", statement.opened)
    return f"number {entry.sequence} of {entry.recorder}, {entry.time}"


def manifest(case: BundleCase) -> str:
    """The closing entry commits to the manifest."""
    body = case.bundle.manifest
    with part("the closing entry"):
        entry = LogEntry.from_bytes(case.closing_entry)
    _agree("the entry", entry.type, "the type must be", SESSION_CLOSED)
    _agree("the entry's body", entry.body, "the manifest's digest is", body.digest())
    _agree("the entry's session", entry.session, "the manifest says", body.session)
    _agree("the entry's recorder", entry.recorder, "the manifest says", body.recorder.id)
    _agree("the entry's sequence", entry.sequence, "the manifest says", body.recorder.sequence)
    require(entry.time >= body.closed, f"the entry's time is {entry.time}, before the manifest's closed {body.closed}")
    return f"digest {entry.body}"


def agreement(case: BundleCase) -> str:
    """The manifest tells of the session that the opening statement announced."""
    begun, ended = case.bundle.opening, case.bundle.manifest
    for name, announced, told in (
        ("session", begun.session, ended.session),
        ("user", begun.user, ended.user),
        ("host", begun.host, ended.host),
        ("policy", begun.policy, ended.policy),
        ("recorder", begun.recorder.id, ended.recorder.id),
        ("sequence", begun.recorder.sequence, ended.recorder.sequence),
        ("opened", begun.opened, ended.opened),
    ):
        _agree(f"the manifest's {name}", told, "the opening statement says", announced)
    require(ended.closed >= ended.opened, f"closed is {ended.closed}, before opened, {ended.opened}")
    return f"{ended.user} on {ended.host}, {ended.end.reason.value}"


def block(case: BundleCase) -> str:
    """The checkpoint's tree ends with a signed block, which is not older than the two entries."""
    head = case.bundle_head
    assert head is not None, "set in step 1"
    with part("the block"):
        found = Block.from_text(open_note(case.bundle.block, case.key))
    _agree("the block's origin", found.origin, "the checkpoint says", head.origin)
    _agree("the block's size", found.size, "the checkpoint says", head.size)
    _agree("the block's root", found.root.hex(), "the checkpoint says", head.root.hex())
    for what, data in (("opening", case.opening_entry), ("closing", case.closing_entry)):
        time = LogEntry.from_bytes(data).time
        require(
            not is_ahead(time, found.time),
            f"the {what}'s time {time} is more than 5 minutes after that of the block, {found.time}",
        )
    case.bundle_block = found
    return f"height {found.height}, {found.time}"


def _proof(text: str, what: str) -> TlogProof:
    with part(what):
        proof = TlogProof.from_text(text)
    require(proof.to_text() == text and not proof.extra, f"{what} has lines that no proof of Lucid has")
    return proof


def _entry(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise StepFailed(f"{what} is not base64") from None
    require(base64.b64encode(data).decode() == text, f"{what} is not canonical base64")
    return data


def _included(case: BundleCase, entry: bytes, proof: TlogProof, what: str) -> None:
    head = case.bundle_head
    assert head is not None, "set in step 1"
    require(proof.index < head.size, f"entry {proof.index} is outside of a tree of {head.size} entries")
    require(
        verify_inclusion(leaf_hash(entry), proof.index, head.size, proof.path, head.root),
        f"the {what} entry and its proof do not give the checkpoint's root as entry {proof.index} of {head.size}",
    )


def _agree(left: str, found: object, right: str, expected: object) -> None:
    require(found == expected, f"{left} is {found}, {right} {expected}")
