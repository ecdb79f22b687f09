"""RFC 6962 section 2.1 Merkle trees: roots, compact ranges, and proofs made and checked. No I/O.

Hashes are 32 bytes. Trees are addressed by *nodes*: `(level, index)` is the root of the complete subtree over
the entries from `index << level` to `(index + 1) << level`. Nothing here recurses, so sizes are not limited.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from lucid.base.errors import InvalidInput

EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = tuple[int, int]
"""(level, index) of a complete subtree."""

GetHash = Callable[[int, int], bytes]
"""Hash of a complete subtree by level and index."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_data: Iterable[bytes]) -> bytes:
    """Merkle tree hash over entries."""
    return root_of_hashes(leaf_hash(data) for data in leaf_data)


def root_of_hashes(leaf_hashes: Iterable[bytes]) -> bytes:
    """Merkle tree hash over hashes of entries."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root over the hashes of complete subtrees that shrink from left to right."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


class Frontier:
    """A growing tree reduced to its complete subtrees, largest first: at most 64 hashes."""

    __slots__ = ("_hashes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_subtrees(cls, size: int, hashes: Sequence[bytes]) -> Self:
        """The frontier of a tree of `size` entries. Raises InvalidInput when the number of hashes is another."""
        if size < 0 or len(hashes) != size.bit_count():
            raise InvalidInput(f"frontier: a tree of {size} entries does not have {len(hashes)} complete subtrees")
        frontier = cls()
        frontier.size = size
        frontier._hashes = list(hashes)
        return frontier

    @property
    def subtrees(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees, largest first."""
        return tuple(self._hashes)

    def copy(self) -> "Frontier":
        return Frontier.from_subtrees(self.size, self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add the hash of one entry."""
        size = self.size
        while size & 1:
            leaf = node_hash(self._hashes.pop(), leaf)
            size >>= 1
        self._hashes.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the hashes of entries."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """Merkle tree hash of the tree so far."""
        return fold(self._hashes) if self._hashes else EMPTY_ROOT


def range_nodes(start: int, end: int) -> list[Node]:
    """The complete subtrees that make up the entries from `start` to `end`, as RFC 6962 splits them;
    `start` is a multiple of the largest power of two that is not over `end - start`."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _split(start: int, end: int) -> int:
    """Where RFC 6962 divides a range: after the largest power of two smaller than its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Ranges of entries whose hashes are the audit path of entry `index` in the tree of `size`, from the leaf up.
    Raises InvalidInput for an index outside the tree."""
    if not 0 <= index < size:
        raise InvalidInput(f"there is no entry {index} in a tree of {size}")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """Ranges of entries whose hashes are the consistency proof from the tree of `old` to that of `new`; empty
    for equal sizes and for an empty old tree. Raises InvalidInput when `old` is larger."""
    if not 0 <= old <= new:
        raise InvalidInput(f"a tree of {old} entries is no beginning of a tree of {new}")
    if old in (0, new):
        return []
    ranges = []
    start, end = 0, new
    while old != end:
        middle = _split(start, end)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start > 0:  # otherwise the last subtree is the old tree, whose root the checker has
        ranges.append((start, end))
    return ranges[::-1]


def range_hash(get: GetHash, start: int, end: int) -> bytes:
    """Hash of a range as `range_nodes` divides it."""
    return fold([get(level, index) for level, index in range_nodes(start, end)])


def inclusion_path(get: GetHash, index: int, size: int) -> list[bytes]:
    """Audit path (RFC 6962 section 2.1.1)."""
    return [range_hash(get, *part) for part in inclusion_ranges(index, size)]


def consistency_path(get: GetHash, old: int, new: int) -> list[bytes]:
    """Consistency proof (RFC 6962 section 2.1.2)."""
    return [range_hash(get, *part) for part in consistency_ranges(old, new)]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that the audit path leads to (RFC 9162 section 2.1.3.2). Raises InvalidInput when the path
    has the wrong length for `index` and `size`."""
    if not 0 <= index < size:
        raise InvalidInput(f"there is no entry {index} in a tree of {size}")
    number, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise InvalidInput("inclusion proof: too many hashes")
        if number & 1 or number == last:
            result = node_hash(sibling, result)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        number >>= 1
        last >>= 1
    if last != 0:
        raise InvalidInput("inclusion proof: too few hashes")
    return result


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the audit path shows that `leaf` is the hash of entry `index` in the tree of `size` with `root`."""
    try:
        return root_from_inclusion(leaf, index, size, path) == root
    except InvalidInput:
        return False


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `new` entries begins with that of `old` (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not path and old_root == (EMPTY_ROOT if old == 0 else new_root)
    hashes = list(path)
    if old & (old - 1) == 0:  # a complete old tree is a subtree of the new one, so its root is left out
        hashes.insert(0, old_root)
    if not hashes:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    old_result = new_result = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old_result = node_hash(sibling, old_result)
            new_result = node_hash(sibling, new_result)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            new_result = node_hash(new_result, sibling)
        number >>= 1
        last >>= 1
    return last == 0 and old_result == old_root and new_result == new_root
