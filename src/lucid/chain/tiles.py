"""Reading a tiled log at rest: files by their public paths, and proofs out of tiles."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.crypto import merkle
from lucid.crypto.merkle import Node
from lucid.model.tlog import HASH_BYTES, TILE_WIDTH, decode_entries, encode_entries, entries_path, tile_path
from lucid.ports.stores import Folder

_PATH = re.compile(r"tile/(entries|[0-7])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
TILE_BITS = 8


@dataclass(frozen=True, slots=True)
class TileName:
    """A hash tile, or, with level None, an entry bundle; `width` is the number of its hashes or entries."""

    level: int | None
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        if self.level is None:
            return entries_path(self.number, self.width)
        return tile_path(self.level, self.number, self.width)

    @classmethod
    def parse(cls, path: str) -> "TileName":
        """The tile of a path. Raises NotFound for anything that is not exactly a tile's path."""
        if match := _PATH.fullmatch(path):
            level = None if match[1] == "entries" else int(match[1])
            number = int(match[2].replace("x", "").replace("/", ""))
            name = cls(level, number, int(match[3] or TILE_WIDTH))
            if name.path == path:
                return name
        raise NotFound(f"not the path of a tile: {path[:80]}")

    def widest(self, size: int) -> "TileName":
        """The same tile as it is in the tree of `size` entries; its width is 0 or less outside the tree."""
        hashes = size >> (TILE_BITS * (self.level or 0))
        return TileName(self.level, self.number, min(TILE_WIDTH, hashes - self.number * TILE_WIDTH))


def cut(name: TileName, data: bytes, width: int) -> bytes:
    """The first `width` hashes or entries of the tile `name`. Raises Corrupted when it is not as wide as named."""
    if name.level is None:
        try:
            entries = decode_entries(data)
        except InvalidInput as error:
            raise Corrupted(f"{name.path}: {error.detail}") from None
        if len(entries) != name.width:
            raise Corrupted(f"{name.path}: {len(entries)} entries, expected {name.width}")
        return data if width == name.width else encode_entries(entries[:width])
    if len(data) != name.width * HASH_BYTES:
        raise Corrupted(f"{name.path}: {len(data)} bytes, expected {name.width * HASH_BYTES}")
    return data[: width * HASH_BYTES]


def subtree_rows(tile: bytes) -> list[bytes]:
    """The hashes of a tile, those of its complete pairs, of their pairs, and so on: a row of bytes a level."""
    rows = [tile]
    while len(row := rows[-1]) >= 2 * HASH_BYTES:
        pairs = range(0, len(row) - 2 * HASH_BYTES + 1, 2 * HASH_BYTES)
        rows.append(
            b"".join(merkle.node_hash(row[at : at + HASH_BYTES], row[at + HASH_BYTES : at + 64]) for at in pairs)
        )
    return rows


class TileReader:
    """Tiles of a log that grows: `size` tells the published size now. `cached` hash tiles are kept in memory with
    their subtrees (16 KiB each): a tile of one width never changes, and proofs of neighbours share them."""

    def __init__(self, folder: Folder, size: Callable[[], int], *, cached: int = 256) -> None:
        self._folder = folder
        self._size = size
        self._cached = cached
        self._cache: OrderedDict[TileName, list[bytes]] = OrderedDict()
        self._loading = asyncio.Lock()

    async def read(self, name: TileName) -> bytes:
        """The tile's content; a partial tile of an earlier size is cut out of the present one. Raises NotFound
        outside the published tree, Corrupted when the file is missing or has the wrong length."""
        if name.level is not None:
            return (await self._rows(name))[0][: name.width * HASH_BYTES]
        present, data = await self._file(name)
        return cut(present, data, name.width)

    async def _rows(self, name: TileName) -> list[bytes]:
        """`subtree_rows` of the hash tile as wide as it is now, at least as wide as `name`."""
        if (rows := self._kept(name)) is not None:
            return rows
        async with self._loading:  # so that a thousand waiting proofs read a new tile once
            if (rows := self._kept(name)) is None:
                present, data = await self._file(name)
                rows = subtree_rows(cut(present, data, present.width))
                self._cache[present] = rows
                if len(self._cache) > self._cached:
                    self._cache.popitem(last=False)
            return rows

    def _kept(self, name: TileName) -> list[bytes] | None:
        present = name.widest(self._size())
        if name.width > present.width or (rows := self._cache.get(present)) is None:
            return None
        self._cache.move_to_end(present)
        return rows

    async def _file(self, name: TileName) -> tuple[TileName, bytes]:
        """The file that holds the tile now, and what is in it."""
        while True:
            size = self._size()
            present = name.widest(size)
            if name.width > present.width:
                raise NotFound(f"{name.path}: outside the published tree")
            try:
                return present, await self._folder.read(present.path)
            except NotFound:
                if self._size() == size:
                    raise Corrupted(f"{present.path}: missing") from None
            # The tree grew meanwhile, and the partial tile was replaced by a wider one.

    async def entry(self, index: int) -> bytes:
        """Raises NotFound outside the published tree."""
        if not 0 <= index < self._size():
            raise NotFound(f"the log has no entry {index}")
        number, offset = divmod(index, TILE_WIDTH)
        return decode_entries(await self.read(TileName(None, number, offset + 1)))[offset]

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """Audit path of entry `index` in the tree of `size`. Raises NotFound for sizes not yet published."""
        self._check(size)
        try:
            ranges = merkle.inclusion_ranges(index, size)
        except InvalidInput as error:
            raise NotFound(error.detail) from None
        return await self._hashes(ranges)

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency proof. Raises NotFound for sizes not yet published."""
        self._check(new)
        try:
            ranges = merkle.consistency_ranges(old, new)
        except InvalidInput as error:
            raise NotFound(error.detail) from None
        return await self._hashes(ranges)

    def _check(self, size: int) -> None:
        if size > self._size():
            raise NotFound(f"the published tree has {self._size()} entries, not {size}")

    async def _hashes(self, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
        """The hash of each range: tiles are read first, one after the other, then all is looked up."""
        parts = [[_place(node) for node in merkle.range_nodes(start, end)] for start, end in ranges]
        widths: dict[tuple[int, int], int] = {}
        for level, number, _, end in (place for places in parts for place in places):
            widths[level, number] = max(end, widths.get((level, number), 0))
        tiles = {at: await self._rows(TileName(*at, width)) for at, width in widths.items()}

        def get(level: int, number: int, inside: int, end: int) -> bytes:
            at = ((end >> inside) - 1) * HASH_BYTES
            return tiles[level, number][inside][at : at + HASH_BYTES]

        return [merkle.fold([get(*place) for place in places]) for places in parts]


def _place(node: Node) -> tuple[int, int, int, int]:
    """Where a complete subtree is found: tile level and number, level inside the tile, and the number of the
    tile's hashes up to its end."""
    level, index = node
    tile_level, inside = divmod(level, TILE_BITS)
    number, offset = divmod(index << inside, TILE_WIDTH)
    return tile_level, number, inside, offset + (1 << inside)
