"""What makes a slot a valid continuation of the log: forming one, and checking one independently."""

from collections.abc import Sequence
from typing import TypeVar

from lucid.base.errors import Conflict, Corrupted, InvalidInput
from lucid.chain.edge import Edge
from lucid.chain.slot import Slot
from lucid.crypto.merkle import Frontier, leaf_hash
from lucid.crypto.note import SignerKey, VerifierKey, open_note, sign
from lucid.model.entry import block_time_for, is_ahead, newest_time
from lucid.model.tlog import Block, Checkpoint
from lucid.ports.log import TreeState

T = TypeVar("T", Block, Checkpoint)


def form_slot(state: TreeState, entries: Sequence[bytes], *, time: str, signer: SignerKey, proposer: str) -> Slot:
    """The signed slot that adds `entries` (at least one) to the log at `state`. The block's time is `time`, or as
    much later as the block before it and the entries' own times ask for. Raises InvalidInput for what is no entry."""
    frontier = frontier_of(state)
    frontier.extend(leaf_hash(entry) for entry in entries)
    block = Block(
        origin=signer.name,
        height=state.height + 1,
        time=block_time_for(newest_time(entries), max(time, state.block_time)),
        previous=state.block_digest,
        size=frontier.size,
        root=frontier.root(),
        entries=len(entries),
        proposer=proposer,
    )
    checkpoint = Checkpoint(signer.name, block.size, block.root)
    return Slot(sign(block.to_text(), signer), sign(checkpoint.to_text(), signer), tuple(entries))


def frontier_of(state: TreeState) -> Frontier:
    """The tree of `state` as a frontier. Raises InvalidInput when size and frontier do not fit."""
    return Frontier.from_subtrees(state.size, [bytes.fromhex(value) for value in state.frontier])


def open_block(note: str, verifier: VerifierKey, what: str = "block") -> Block:
    """A block signed by the log's key and for its origin. Raises Corrupted that begins with `what`."""
    return _open(note, verifier, Block, what)


def open_checkpoint(note: str, verifier: VerifierKey, what: str = "checkpoint") -> Checkpoint:
    """A checkpoint signed by the log's key and for its origin. Raises Corrupted that begins with `what`."""
    return _open(note, verifier, Checkpoint, what)


def _open(note: str, verifier: VerifierKey, form: type[T], what: str) -> T:
    try:
        opened = form.from_text(open_note(note, verifier))
    except (InvalidInput, Corrupted) as error:
        raise Corrupted(f"{what}: {error.detail}") from None
    if opened.origin != verifier.name:
        raise Corrupted(f"{what}: origin {opened.origin} is not the name of the log's key")
    return opened


def follow(state: TreeState, edge: Edge, slot: Slot, verifier: VerifierKey) -> tuple[TreeState, Edge, dict[str, bytes]]:
    """Check that `slot` continues the log at `state`, whose right edge is `edge`: the state and edge after it,
    and the tile and bundle files that it adds. The root is derived again from the entries alone.
    Raises Conflict when the slot continues another state, Corrupted when it is wrong in itself, InvalidInput when
    it holds what is no entry."""
    block = open_block(slot.block, verifier)
    checkpoint = open_checkpoint(slot.checkpoint, verifier)
    if (block.height, block.previous) != (state.height + 1, state.block_digest):
        raise Conflict(f"the slot of height {block.height} does not follow the block of height {state.height}")
    if not slot.entries or block.entries != len(slot.entries):
        raise Corrupted(f"block {block.height}: names {block.entries} entries, the slot has {len(slot.entries)}")
    if block.time < state.block_time:
        raise Corrupted(f"block {block.height}: its time is before that of the block before it")
    if is_ahead(newest_time(slot.entries), block.time):
        raise Corrupted(f"block {block.height}: its time is more than 5 minutes before that of an entry")
    after, files = edge.extend(slot.entries)
    if block.size != after.size or block.root != after.root():
        raise Corrupted(f"block {block.height}: size or root is not that of the entries")
    if (checkpoint.size, checkpoint.root) != (block.size, block.root):
        raise Corrupted(f"block {block.height}: the checkpoint has another size or root")
    return state_at(block, slot.checkpoint, after), after, files


def state_at(block: Block, checkpoint: str, edge: Edge) -> TreeState:
    """The state of a log whose newest block is `block`."""
    return TreeState(
        size=block.size,
        height=block.height,
        block_digest=block.digest(),
        block_time=block.time,
        checkpoint=checkpoint,
        frontier=tuple(value.hex() for value in edge.subtrees()),
    )
