"""Merkle trees against the definitions of RFC 6962 section 2.1, written here as the RFC writes them."""

import hashlib
import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.base.errors import InvalidInput
from lucid.crypto import merkle

# Entries and roots of the reference implementations of certificate transparency (sizes 0 to 8).
ENTRIES = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes(range(0x60, 0x70))
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def entry(number: int) -> bytes:
    return f"entry {number}".encode()


@cache
def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end])."""
    if end == start:
        return hashlib.sha256().digest()
    if end - start == 1:
        return hashlib.sha256(b"\x00" + entry(start)).digest()
    k = split(end - start)
    return hashlib.sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end])."""
    if end - start == 1:
        return []
    k = split(end - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b)."""
    if m == end - start:
        return [] if whole else [mth(start, end)]
    k = split(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, whole), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, False), mth(start, start + k)]


def get(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


def test_published_roots() -> None:
    for size, expected in enumerate(ROOTS):
        assert merkle.root(ENTRIES[:size]).hex() == expected


def test_roots_and_frontiers_of_all_small_sizes() -> None:
    frontier = merkle.Frontier()
    for size in range(301):
        assert frontier.root() == mth(0, size)
        again = merkle.Frontier.from_subtrees(size, frontier.subtrees)
        again.append(merkle.leaf_hash(entry(size)))
        frontier.append(merkle.leaf_hash(entry(size)))
        assert again.root() == frontier.root() == merkle.root(entry(n) for n in range(size + 1))


def test_a_copied_frontier_grows_apart() -> None:
    one = merkle.Frontier()
    one.extend(merkle.leaf_hash(entry(n)) for n in range(5))
    two = one.copy()
    two.append(b"x" * 32)
    assert one.root() == mth(0, 5)
    assert two.size == 6


def test_a_frontier_with_the_wrong_number_of_subtrees_is_refused() -> None:
    with pytest.raises(InvalidInput):
        merkle.Frontier.from_subtrees(3, [b"x" * 32])


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 255, 256, 257, 300])
def test_inclusion_of_every_entry(size: int) -> None:
    for index in range(size):
        proof = merkle.inclusion_path(get, index, size)
        assert proof == path(index, 0, size)
        assert merkle.root_from_inclusion(mth(index, index + 1), index, size, proof) == mth(0, size)


@pytest.mark.parametrize("new", [*range(1, 70), 127, 128, 129, 255, 256, 257, 300])
def test_consistency_of_all_earlier_sizes(new: int) -> None:
    for old in range(1, new + 1):
        proof = merkle.consistency_path(get, old, new)
        assert proof == subproof(old, 0, new, True)
        assert merkle.verify_consistency(old, new, mth(0, old), mth(0, new), proof)


def test_the_empty_tree_is_the_beginning_of_every_tree() -> None:
    assert merkle.consistency_path(get, 0, 9) == []
    assert merkle.verify_consistency(0, 9, merkle.EMPTY_ROOT, mth(0, 9), [])
    assert not merkle.verify_consistency(0, 9, mth(0, 1), mth(0, 9), [])


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 300), st.data())
def test_a_changed_inclusion_proof_fails(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = path(index, 0, size)
    leaf, root = mth(index, index + 1), mth(0, size)
    assert merkle.verify_inclusion(leaf, index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, index, size, [*proof, root], root)
    assert not merkle.verify_inclusion(node_flip(leaf), index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, size, size, proof, root)
    assert not merkle.verify_inclusion(leaf, -1, size, proof, root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not merkle.verify_inclusion(leaf, index, size, proof[:at] + proof[at + 1 :], root)
        changed = [*proof[:at], node_flip(proof[at]), *proof[at + 1 :]]
        assert not merkle.verify_inclusion(leaf, index, size, changed, root)
        assert not merkle.verify_inclusion(leaf, (index + 1) % size, size, proof, root)


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 300), st.data())
def test_a_changed_consistency_proof_fails(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = subproof(old, 0, new, True)
    a, b = mth(0, old), mth(0, new)
    assert merkle.verify_consistency(old, new, a, b, proof)
    assert not merkle.verify_consistency(old, new, node_flip(a), b, proof)
    assert not merkle.verify_consistency(old, new, a, node_flip(b), proof)
    assert not merkle.verify_consistency(old, new, a, b, [*proof, b])
    assert not merkle.verify_consistency(new, old, b, a, proof)
    assert not merkle.verify_consistency(old, new, a, b, [])
    at = data.draw(st.integers(0, len(proof) - 1))
    assert not merkle.verify_consistency(old, new, a, b, proof[:at] + proof[at + 1 :])
    assert not merkle.verify_consistency(old, new, a, b, [*proof[:at], node_flip(proof[at]), *proof[at + 1 :]])


def node_flip(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def test_proofs_of_huge_trees_have_logarithmic_length() -> None:
    size = 2**62 + 12345
    chooser = random.Random(1)
    for index in (0, size - 1, *(chooser.randrange(size) for _ in range(50))):
        assert len(merkle.inclusion_ranges(index, size)) <= 63
        assert len(merkle.consistency_ranges(index + 1, size)) <= 64
        assert all(start % (1 << level) == 0 for start, _, level in spans(index, size))


def spans(index: int, size: int) -> list[tuple[int, int, int]]:
    return [
        (node << level, (node + 1) << level, level)
        for part in merkle.inclusion_ranges(index, size)
        for level, node in merkle.range_nodes(*part)
    ]


def test_ranges_outside_the_tree_are_refused() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(InvalidInput):
            merkle.inclusion_ranges(index, size)
    with pytest.raises(InvalidInput):
        merkle.consistency_ranges(6, 5)
