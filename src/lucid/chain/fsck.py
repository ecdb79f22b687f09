"""Deriving a log at rest again from its entries: every tile, block and root is compared with what is stored."""

import asyncio
from collections.abc import Callable

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.chain.edge import Edge, split_hashes, unfinished
from lucid.chain.rules import open_block, open_checkpoint
from lucid.chain.tiles import TileName, TileReader
from lucid.crypto.merkle import Frontier, leaf_hash
from lucid.crypto.note import VerifierKey
from lucid.model.canonical import NO_DIGEST
from lucid.model.entry import AHEAD, is_ahead, newest_time
from lucid.model.tlog import TILE_WIDTH, Block, Checkpoint, block_path, decode_entries, tile_path
from lucid.ports.log import FsckReport
from lucid.ports.stores import Folder

MAX_PROBLEMS = 100
ASIDE = "aside"
"""Folder of the blocks that block-manager found beyond the checkpoint."""

_AHEAD_TEXT = f"its time is more than {AHEAD.total_seconds() / 60:g} minutes after that of the block"


async def fsck(folder: Folder, verifier: VerifierKey, *, size: Callable[[], int] | None = None) -> FsckReport:
    """Check the log in `folder` up to its checkpoint. `size` tells the published size of a log that grows
    meanwhile, whose partial tiles may be replaced by wider ones."""
    return await _Fsck(folder, verifier, size).run()


class _Fsck:
    def __init__(self, folder: Folder, verifier: VerifierKey, size: Callable[[], int] | None) -> None:
        self._folder = folder
        self._verifier = verifier
        self._size = size
        self._problems: list[str] = []
        self._edge = Edge()
        self._chain = _Chain()
        self._tiles = 0

    async def run(self) -> FsckReport:
        await self._key()
        for path in await self._folder.list(ASIDE):
            self._problem(f"{path}: it was found beyond the checkpoint, and the log does not have its entries")
        checkpoint = await self._checkpoint()
        if checkpoint is not None:
            end, published = checkpoint.size, self._size or (lambda: 0)
            # The checkpoint may be on disk before it is told to be published.
            tiles = TileReader(self._folder, lambda: max(end, published()), cached=0)
            try:
                await self._derive(tiles, end)
            except Corrupted as error:
                self._problem(f"{error.detail}; what follows could not be checked")
            else:
                if self._edge.root() != checkpoint.root:
                    self._problem("checkpoint: the root is not that of the entries")
        return FsckReport(
            entries=self._edge.size,
            blocks=self._chain.height + 1,
            tiles=self._tiles,
            root=self._edge.root().hex(),
            problems=tuple(self._problems),
        )

    def _problem(self, sentence: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(sentence)

    async def _key(self) -> None:
        try:
            key = (await self._folder.read("key")).decode(errors="replace")
        except NotFound:
            self._problem("key: missing")
        else:
            if key != self._verifier.format() + "\n":
                self._problem("key: is not the key that the log is checked with")

    async def _checkpoint(self) -> Checkpoint | None:
        """The checkpoint; None for a log that has published nothing, or when it cannot be relied on."""
        try:
            note = (await self._folder.read("checkpoint")).decode(errors="replace")
        except NotFound:
            if await self._folder.list("block"):
                self._problem("checkpoint: missing, but there are blocks")
            return None
        try:
            return open_checkpoint(note, self._verifier)
        except Corrupted as error:
            self._problem(error.detail)
            return None

    async def _derive(self, tiles: TileReader, end: int) -> None:
        for start in range(0, end, TILE_WIDTH):
            width = min(TILE_WIDTH, end - start)
            bundle = await tiles.read(TileName(None, start // TILE_WIDTH, width))
            self._tiles += 1
            entries, leaves, files = await asyncio.to_thread(self._grow, bundle)
            while self._chain.size < start + width:
                if not await self._block():
                    raise Corrupted(f"{block_path(self._chain.height + 1)}: missing or unusable")
                self._add(entries, leaves, start)
            self._add(entries, leaves, start)
            for path, data in files.items():
                if ".p/" not in path and path.startswith("tile/") and "/entries/" not in path:
                    await self._tile(tiles, TileName.parse(path), data)
        if self._chain.size != end:
            self._problem(f"{block_path(self._chain.height)}: its size is not that of the checkpoint")
        for level, number, width in unfinished(end):
            await self._tile(tiles, TileName(level, number, width), b"".join(self._edge.rows[level]))

    def _grow(self, bundle: bytes) -> tuple[list[bytes], list[bytes], dict[str, bytes]]:
        entries = decode_entries(bundle)
        self._edge, files = self._edge.extend(entries)
        return entries, [leaf_hash(entry) for entry in entries], files

    def _add(self, entries: list[bytes], leaves: list[bytes], start: int) -> None:
        """Let the blocks' own tree grow up to the end of the block or bundle, and compare roots at a block's end."""
        chain = self._chain
        first, until = chain.tree.size, min(chain.size, start + len(leaves))
        self._times(first, entries[first - start : until - start])
        chain.tree.extend(leaves[first - start : until - start])
        if chain.tree.size == chain.size and not chain.compared:
            chain.compared = True
            if chain.tree.root() != chain.root and not chain.broken:
                chain.broken = True  # every later root differs too, which says nothing new
                self._problem(f"{block_path(chain.height)}: the root is not that of the entries")

    def _times(self, first: int, entries: list[bytes]) -> None:
        """Compare the times of the newest block's `entries`, the first of which has the index `first`, with its own."""
        chain = self._chain

        def wrong(some: list[bytes]) -> str:
            try:
                return _AHEAD_TEXT if is_ahead(newest_time(some), chain.time) else ""
            except InvalidInput as error:
                return error.detail

        if entries and wrong(entries):
            for index, entry in enumerate(entries, first):
                if problem := wrong([entry]):
                    self._problem(f"{block_path(chain.height)}, entry {index}: {problem}")

    async def _block(self) -> bool:
        """Read the next block and check it against the one before; False when it cannot be used."""
        chain = self._chain
        path = block_path(chain.height + 1)
        try:
            note = (await self._folder.read(path)).decode(errors="replace")
            block = open_block(note, self._verifier, path)
        except NotFound:
            return False
        except Corrupted as error:
            self._problem(error.detail)
            return False
        for wrong, what in (
            (block.height != chain.height + 1, "the height is not that of its path"),
            (block.previous != chain.digest, "does not name the digest of the block before it"),
            (block.size != chain.size + block.entries, "size and entries do not add up"),
            (block.time < chain.time, "its time is before that of the block before it"),
        ):
            if wrong:
                self._problem(f"{path}: {what}")
        if block.size <= chain.size:
            return False
        chain.take(block)
        return True

    async def _tile(self, tiles: TileReader, name: TileName, expected: bytes) -> None:
        self._tiles += 1
        try:
            stored = await tiles.read(name)
        except Corrupted as error:
            self._problem(error.detail)
            return
        if stored != expected:
            pairs = zip(split_hashes(stored), split_hashes(expected), strict=True)
            first = next(at for at, (one, two) in enumerate(pairs) if one != two)
            below = "entry" if name.level == 0 else f"{tile_path((name.level or 0) - 1, 0)[:6]}…, tile"
            self._problem(f"{name.path}: hash {first} is not that of {below} {name.number * TILE_WIDTH + first}")


class _Chain:
    """The newest block read, and the tree of the entries up to it as far as they were seen."""

    def __init__(self) -> None:
        self.height = -1
        self.size = 0
        self.digest = NO_DIGEST
        self.time = ""
        self.root = b""
        self.compared = True
        self.broken = False
        self.tree = Frontier()

    def take(self, block: Block) -> None:
        self.height += 1
        self.size, self.digest, self.time, self.root = block.size, block.digest(), block.time, block.root
        self.compared = False
