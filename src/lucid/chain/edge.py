"""The right edge of a tiled log: what has to be kept to add entries, and the files that adding them makes.

An edge holds the unfinished tile of each level and the unfinished entry bundle, so that its size is bounded
(under 256 hashes a level) and adding entries reads nothing. Sources: c2sp.org/tlog-tiles, docs/format.md section 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from lucid.base.errors import Corrupted, InvalidInput
from lucid.crypto.merkle import EMPTY_ROOT, Frontier, fold, leaf_hash, root_of_hashes
from lucid.model.tlog import HASH_BYTES, TILE_WIDTH, decode_entries, encode_entries, entries_path, tile_path


def unfinished(size: int) -> list[tuple[int, int, int]]:
    """(level, number, width) of the partial tiles of a tree of `size` entries."""
    tiles = []
    level = 0
    while size > 0:
        number, width = divmod(size, TILE_WIDTH)
        if width:
            tiles.append((level, number, width))
        size = number
        level += 1
    return tiles


def edge_paths(size: int) -> list[str]:
    """The files that `Edge.load` needs for a tree of `size` entries."""
    paths = [tile_path(*tile) for tile in unfinished(size)]
    if size % TILE_WIDTH:
        paths.append(entries_path(size // TILE_WIDTH, size % TILE_WIDTH))
    return paths


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


@dataclass(frozen=True, slots=True)
class Edge:
    """`rows[level]` are the hashes of the level's unfinished tile, `entries` those of the unfinished bundle."""

    size: int = 0
    rows: tuple[tuple[bytes, ...], ...] = ()
    entries: tuple[bytes, ...] = ()

    @classmethod
    def load(cls, size: int, files: Mapping[str, bytes]) -> Self:
        """The edge of the tree of `size` entries out of the files of `edge_paths`. Raises Corrupted naming a
        file that has the wrong length."""
        rows: list[tuple[bytes, ...]] = []
        for level, number, width in unfinished(size):
            path = tile_path(level, number, width)
            if len(files[path]) != width * HASH_BYTES:
                raise Corrupted(f"{path}: {len(files[path])} bytes, expected {width * HASH_BYTES}")
            rows.extend([()] * (level - len(rows)))
            rows.append(tuple(split_hashes(files[path])))
        entries: tuple[bytes, ...] = ()
        if width := size % TILE_WIDTH:
            path = entries_path(size // TILE_WIDTH, width)
            try:
                entries = tuple(decode_entries(files[path]))
            except InvalidInput as error:
                raise Corrupted(f"{path}: {error.detail}") from None
            if [leaf_hash(entry) for entry in entries] != list(rows[0]):
                raise Corrupted(f"{path}: the entries do not have the hashes of {tile_path(*unfinished(size)[0])}")
        return cls(size, tuple(rows), entries)

    def subtrees(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees of the tree, largest first."""
        found: list[bytes] = []
        for row in reversed(self.rows):
            frontier = Frontier()
            frontier.extend(row)
            found.extend(frontier.subtrees)
        return tuple(found)

    def root(self) -> bytes:
        """Merkle tree hash of the tree."""
        subtrees = self.subtrees()
        return fold(subtrees) if subtrees else EMPTY_ROOT

    def extend(self, entries: Sequence[bytes]) -> tuple["Edge", dict[str, bytes]]:
        """The edge after adding `entries`, and the files that are new: bundles first, then tiles from the leaves up."""
        files: dict[str, bytes] = {}
        bundle = [*self.entries, *entries]
        number = self.size // TILE_WIDTH
        while len(bundle) >= TILE_WIDTH:
            files[entries_path(number)] = encode_entries(bundle[:TILE_WIDTH])
            del bundle[:TILE_WIDTH]
            number += 1
        if bundle:
            files[entries_path(number, len(bundle))] = encode_entries(bundle)
        rows = list(self.rows)
        hashes = [leaf_hash(entry) for entry in entries]
        level, number = 0, self.size // TILE_WIDTH
        while hashes:
            if level == len(rows):
                rows.append(())
            row = [*rows[level], *hashes]
            full = len(row) // TILE_WIDTH * TILE_WIDTH
            hashes = []
            for at in range(0, full, TILE_WIDTH):
                tile = row[at : at + TILE_WIDTH]
                files[tile_path(level, number + at // TILE_WIDTH)] = b"".join(tile)
                hashes.append(root_of_hashes(tile))
            rest = row[full:]
            if rest:
                files[tile_path(level, number + full // TILE_WIDTH, len(rest))] = b"".join(rest)
            rows[level] = tuple(rest)
            level, number = level + 1, number // TILE_WIDTH
        return Edge(self.size + len(entries), tuple(rows), tuple(bundle)), files
