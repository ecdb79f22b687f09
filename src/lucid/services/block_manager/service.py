"""The log at rest: commits checked and made durable, proofs out of tiles."""

import asyncio

import structlog

from lucid.base.errors import Corrupted, InvalidInput, NotFound, Unavailable
from lucid.base.tasks import to_the_end
from lucid.chain import fsck
from lucid.chain.edge import Edge, edge_paths, unfinished
from lucid.chain.rules import follow, open_block, open_checkpoint, state_at
from lucid.chain.slot import Slot
from lucid.chain.tiles import TileName, TileReader
from lucid.crypto.merkle import verify_consistency
from lucid.crypto.note import VerifierKey, split_note
from lucid.model.canonical import Digest
from lucid.model.tlog import TILE_WIDTH, Block, block_path, entries_path, tile_path
from lucid.ports.log import FsckReport, TreeState
from lucid.ports.stores import Folder
from lucid.services.block_manager.aside import Aside

_log = structlog.get_logger()


class BlockManager:
    """Port LogStore. The state is that of the `checkpoint` file: what a commit had written when it was cut off
    is invisible until a later commit writes it again."""

    def __init__(self, *, folder: Folder, verifier: VerifierKey, cached_tiles: int = 256) -> None:
        self._folder = folder
        self._verifier = verifier
        self._state = TreeState()
        self._edge = Edge()
        self._aside = Aside(folder, verifier)
        self._tiles = TileReader(folder, lambda: self._state.size, cached=cached_tiles)
        self._commits = asyncio.Lock()

    async def start(self) -> None:
        """Own the folder and read the state. Raises Conflict when another process owns it, Corrupted when
        it is not a log of our key or its newest part is damaged."""
        await self._folder.lock()
        await self._claim()
        await self._aside.load()
        try:
            note = (await self._folder.read("checkpoint")).decode(errors="replace")
        except NotFound:
            if await self._folder.list("tile/0"):
                await self._refuse_lost_checkpoint()
            return
        checkpoint = open_checkpoint(note, self._verifier)
        block = await self._newest_block(checkpoint.size, checkpoint.root)
        if await self._size_of(block.height + 2) is not None:
            raise Corrupted(f"checkpoint: older than {block_path(block.height + 2)}: the log was rolled back")
        edge = Edge.load(checkpoint.size, {path: await self._need(path) for path in edge_paths(checkpoint.size)})
        if edge.root() != checkpoint.root:
            raise Corrupted(f"the newest tiles do not have the root of the checkpoint (size {checkpoint.size})")
        # The one further block that there may be belongs to a commit that was cut off before its checkpoint, or to a
        # log that was rolled back by one slot. Its entries stand in wider tiles, which are kept as long.
        await self._aside.keep(block_path(block.height + 1))
        self._edge, self._state = edge, state_at(block, note, edge)
        await self._aside.drop(self._has)
        if not self._aside:
            await self._tidy(block.size - block.entries, block.size)
        _log.info("log opened", origin=checkpoint.origin, size=checkpoint.size, height=block.height)

    async def stop(self) -> None:
        """Return when no commit is under way."""
        async with self._commits:
            return

    async def check(self) -> None:
        """Readiness. Raises Corrupted while a block is known whose entries the log does not have."""
        self._aside.check()

    async def _has(self, block: Block) -> bool:
        """Whether the log begins with the tree that the block leads to."""
        state = self._state
        if block.size > state.size:
            return False
        path = await self._tiles.consistency(block.size, state.size)
        return verify_consistency(block.size, state.size, block.root, self._edge.root(), path)

    async def _claim(self) -> None:
        """Write the key into a new folder, or compare it with the one that is there."""
        key = (self._verifier.format() + "\n").encode()
        try:
            present = await self._folder.read("key")
        except NotFound:
            await self._folder.write({"key": key})
            return
        if present != key:
            raise Corrupted(f"key: the log belongs to another key than the setting {self._verifier.format()}")

    async def _refuse_lost_checkpoint(self) -> None:
        """Tiles without a checkpoint are what the first commit leaves when it is cut off: block 0 at most.
        Anything more was published, and its checkpoint is lost."""
        if block_path(1) in await self._folder.list("block"):
            raise Corrupted("checkpoint: missing, though the log has blocks; restore it from a copy")

    async def _need(self, path: str) -> bytes:
        try:
            return await self._folder.read(path)
        except NotFound:
            raise Corrupted(f"{path}: missing, though the checkpoint needs it") from None

    async def _newest_block(self, size: int, root: bytes) -> Block:
        height = await self._height_of(size)
        if height is None:
            raise Corrupted(f"no block has the checkpoint's size {size}")
        path = block_path(height)
        block = open_block((await self._need(path)).decode(errors="replace"), self._verifier, path)
        if block.root != root or block.height != height:
            raise Corrupted(f"{path}: does not have the checkpoint's root")
        return block

    async def state(self) -> TreeState:
        return self._state

    async def commit(self, *, slot: bytes) -> TreeState:
        # A caller that goes away must not part what is in memory from what is on disk.
        return await to_the_end(self._commit(Slot.decode(slot)))

    async def _commit(self, slot: Slot) -> TreeState:
        async with self._commits:
            if slot.checkpoint == self._state.checkpoint and self._is_newest(slot.block):
                return self._state
            before = self._state.size
            state, edge, files = await asyncio.to_thread(follow, self._state, self._edge, slot, self._verifier)
            files[block_path(state.height)] = slot.block.encode()
            files["checkpoint"] = slot.checkpoint.encode()
            await self._folder.write(files)
            self._state, self._edge = state, edge
            await self._tidy(before, state.size)
            await self._aside.drop(self._has)
            return state

    def _is_newest(self, note: str) -> bool:
        return open_block(note, self._verifier).digest() == self._state.block_digest

    async def _tidy(self, before: int, after: int) -> None:
        """Remove the partial tiles that growing from `before` to `after` entries made obsolete."""
        kept = {tile_path(*tile) for tile in unfinished(after)}
        if after % TILE_WIDTH:
            kept.add(entries_path(after // TILE_WIDTH, after % TILE_WIDTH))
        level = 0
        while after > 0:
            for number in range(before // TILE_WIDTH, after // TILE_WIDTH + 1):
                await self._drop(tile_path(level, number) + ".p", kept)
                if level == 0:
                    await self._drop(entries_path(number) + ".p", kept)
            before, after, level = before // TILE_WIDTH, after // TILE_WIDTH, level + 1

    async def _drop(self, folder: str, kept: set[str]) -> None:
        present = await self._folder.list(folder)
        if present and kept.isdisjoint(present):
            await self._folder.delete(folder)
            return
        for path in present:
            if path not in kept:
                await self._folder.delete(path)

    async def tile(self, *, path: str) -> bytes:
        return await self._tiles.read(TileName.parse(path))

    async def entry(self, *, index: int) -> bytes:
        return await self._tiles.entry(index)

    async def block(self, *, height: int) -> str:
        if not 0 <= height <= self._state.height:
            raise NotFound(f"the log has no block {height}")
        return (await self._need(block_path(height))).decode(errors="replace")

    async def block_of_size(self, *, size: int) -> str:
        state = self._state
        height = state.height if size == state.size else await self._height_of(size, state.height)
        if height is None:
            raise NotFound(f"no block has the size {size}")
        return await self.block(height=height)

    async def _height_of(self, size: int, newest: int | None = None) -> int | None:
        """Height of the block with exactly `size` entries, by binary search, for sizes grow with heights.
        Without `newest` the search begins by doubling until a block is missing or large enough."""
        low, high = 0, newest if newest is not None else 1
        if newest is None:
            while ((found := await self._size_of(high)) is not None) and found < size:
                low, high = high, high * 2
        while low <= high:
            middle = (low + high) // 2
            found = await self._size_of(middle)
            if found == size:
                return middle
            if found is None or found > size:
                high = middle - 1
            else:
                low = middle + 1
        return None

    async def _size_of(self, height: int) -> int | None:
        path = block_path(height)
        try:
            note = (await self._folder.read(path)).decode(errors="replace")
            return Block.from_text(split_note(note)[0]).size
        except NotFound:
            return None
        except InvalidInput as error:
            raise Corrupted(f"{path}: {error.detail}") from None

    async def inclusion(self, *, index: int, size: int) -> list[Digest]:
        return [value.hex() for value in await self._tiles.inclusion(index, size)]

    async def consistency(self, *, old: int, new: int) -> list[Digest]:
        return [value.hex() for value in await self._tiles.consistency(old, new)]

    async def fsck(self, *, wait_s: float = 3600.0) -> FsckReport:
        try:
            async with asyncio.timeout(wait_s):
                return await fsck.fsck(self._folder, self._verifier, size=lambda: self._state.size)
        except TimeoutError:
            raise Unavailable(f"the log was not read within {wait_s:g} s") from None
