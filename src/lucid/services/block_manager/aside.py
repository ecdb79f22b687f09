"""Blocks found beyond the checkpoint: what a commit that was cut off leaves, or what is left of a log rolled back."""

from collections.abc import Awaitable, Callable

import structlog

from lucid.base.errors import Corrupted, LucidError, NotFound
from lucid.chain.fsck import ASIDE
from lucid.chain.rules import open_block
from lucid.crypto.note import VerifierKey
from lucid.model.canonical import digest_of
from lucid.model.tlog import Block
from lucid.ports.stores import Folder

_log = structlog.get_logger()


class Aside:
    """Keeps such blocks in the folder `aside/` by their digests. After a cut-off commit blockchain-engine sends the
    same entries again, and once the log has them the block is dropped. One that stays is evidence of entries that
    were signed and are gone."""

    def __init__(self, folder: Folder, verifier: VerifierKey) -> None:
        self._folder = folder
        self._verifier = verifier
        self._blocks: dict[str, Block | None] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    async def load(self) -> None:
        """Read what earlier runs have put aside."""
        for path in await self._folder.list(ASIDE):
            self._blocks[path] = self._open(await self._folder.read(path))

    async def keep(self, path: str) -> None:
        """Put the block at `path` aside, if there is one."""
        try:
            note = await self._folder.read(path)
        except NotFound:
            return
        kept = f"{ASIDE}/{digest_of(note)}"
        await self._folder.write({kept: note})
        await self._folder.delete(path)
        self._blocks[kept] = self._open(note)
        _log.warning("block put aside", block=path, kept=kept, reason="it is beyond the checkpoint")

    def _open(self, note: bytes) -> Block | None:
        """None for what is no block of the log's key, which no log will ever hold."""
        try:
            return open_block(note.decode(errors="replace"), self._verifier)
        except Corrupted:
            return None

    async def drop(self, has: Callable[[Block], Awaitable[bool]]) -> None:
        """Drop the blocks whose entries the log `has`. One that cannot be compared or dropped now stays."""
        for path, block in list(self._blocks.items()):
            try:
                if block is not None and await has(block):
                    await self._folder.delete(path)
                    del self._blocks[path]
                    _log.info("block put aside is in the log", kept=path, height=block.height)
            except LucidError as error:
                _log.warning("block stays aside", kept=path, reason=error.detail)

    def check(self) -> None:
        """Raises Corrupted as long as a block is aside."""
        for path, block in self._blocks.items():
            what = "no block of this log" if block is None else f"block {block.height} of {block.size} entries"
            raise Corrupted(f"{path}: {what} was found beyond the checkpoint, and the log does not have its entries")
