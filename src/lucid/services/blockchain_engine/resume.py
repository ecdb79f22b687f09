"""Taking up a log at the start: it must be ours, and have everything that we remember having published."""

import asyncio

from lucid.base.errors import Corrupted, NotFound, Unavailable
from lucid.chain.rules import frontier_of, open_checkpoint
from lucid.crypto.merkle import verify_consistency
from lucid.crypto.note import VerifierKey
from lucid.model.tlog import TILE_WIDTH, decode_entries, entries_path
from lucid.ports.log import LogStore, TreeState
from lucid.ports.stores import Folder

PUBLISHED = "published"
"""The newest checkpoint that this engine has published, kept beside its write-ahead log."""

_POLL_S = 0.2


async def reach(store: LogStore, timeout_s: float) -> TreeState:
    """The state at rest, as soon as block-manager answers. Raises Unavailable after `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return await store.state()
        except Unavailable:
            if loop.time() >= deadline:
                raise
            await asyncio.sleep(_POLL_S)


async def check_state(state: TreeState, store: LogStore, folder: Folder, verifier: VerifierKey) -> None:
    """Raises Corrupted when the log at rest is not signed by our key, does not have the root it claims, or does
    not begin with the tree that `folder` remembers."""
    if state.size:
        checkpoint = open_checkpoint(state.checkpoint, verifier)
        if (checkpoint.size, checkpoint.root) != (state.size, frontier_of(state).root()):
            raise Corrupted("block-manager's state is not that of its checkpoint")
    try:
        note = (await folder.read(PUBLISHED)).decode(errors="replace")
    except NotFound:
        return
    remembered = open_checkpoint(note, verifier, f"blockchain-engine's file {PUBLISHED}")
    if state.size < remembered.size:
        raise Corrupted(
            f"the log at rest has {state.size} entries, but {remembered.size} were published: it was rolled back; "
            "put the newer files of block-manager back in place"
        )
    path = [bytes.fromhex(value) for value in await store.consistency(old=remembered.size, new=state.size)]
    if not verify_consistency(remembered.size, state.size, remembered.root, frontier_of(state).root(), path):
        raise Corrupted(f"the log at rest does not begin with the tree of {remembered.size} entries that was published")


async def newest_entries(store: LogStore, size: int, count: int) -> list[bytes]:
    """About the newest `count` entries of the published tree: those of the last whole bundles."""
    entries: list[bytes] = []
    for number in range(max(0, size - count) // TILE_WIDTH, (size + TILE_WIDTH - 1) // TILE_WIDTH):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        entries += decode_entries(await store.tile(path=entries_path(number, width)))
    return entries
