"""The right edge against tiles derived naively, and the bytes of slots."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.base.errors import Corrupted, InvalidInput
from lucid.chain.edge import Edge, edge_paths
from lucid.chain.slot import Slot
from lucid.crypto import merkle
from lucid.model.tlog import TILE_WIDTH, encode_entries, entries_path, tile_path, tiles_of


def naive_files(entries: list[bytes]) -> dict[str, bytes]:
    """All files of a log, each tile level out of the one below."""
    files = {}
    for number in range((len(entries) + 255) // 256):
        part = entries[number * 256 : number * 256 + 256]
        files[entries_path(number, len(part))] = encode_entries(part)
    rows = [[merkle.leaf_hash(entry) for entry in entries]]
    while len(rows[-1]) >= TILE_WIDTH:
        row = rows[-1]
        rows.append([merkle.root_of_hashes(row[at : at + 256]) for at in range(0, len(row) - 255, 256)])
    for level, number, width in tiles_of(len(entries)):
        files[tile_path(level, number, width)] = b"".join(rows[level][number * 256 :][:width])
    return files


ALL = [b"entry %d" % n for n in range(70_000)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_growing_in_steps_gives_the_files_of_the_whole(steps: list[int]) -> None:
    edge, files = Edge(), {}
    for step in steps:
        edge, new = edge.extend(ALL[edge.size : edge.size + step])
        files.update(new)
    expected = naive_files(ALL[: edge.size])
    assert {path: files[path] for path in expected} == expected
    assert edge.root() == merkle.root(ALL[: edge.size])
    assert Edge.load(edge.size, {path: files[path] for path in edge_paths(edge.size)}) == edge


def test_three_levels() -> None:
    edge, files = Edge().extend(ALL[:65_536])
    assert files == naive_files(ALL[:65_536])
    assert edge.rows[:2] == ((), ())
    edge, _ = edge.extend(ALL[65_536:])
    assert edge.root() == merkle.root(ALL)
    assert sorted(edge_paths(70_000)) == sorted(path for path in naive_files(ALL) if ".p/" in path)


@pytest.mark.parametrize("path", edge_paths(70_000))
def test_a_damaged_edge_is_not_loaded(path: str) -> None:
    files = {name: data for name, data in naive_files(ALL).items() if name in edge_paths(70_000)}
    files[path] = files[path][:-1]
    with pytest.raises(Corrupted, match=path):
        Edge.load(70_000, files)


def test_entries_that_do_not_have_the_hashes_of_their_tile_are_refused() -> None:
    _, files = Edge().extend(ALL[:3])
    files[entries_path(0, 3)] = encode_entries([*ALL[:2], b"other"])
    with pytest.raises(Corrupted, match="entries"):
        Edge.load(3, files)


@given(st.text(), st.text(), st.lists(st.binary(max_size=300)))
def test_slots_come_back(block: str, checkpoint: str, entries: list[bytes]) -> None:
    slot = Slot(block, checkpoint, tuple(entries))
    assert Slot.decode(slot.encode()) == slot


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0\0\0\5\0\0\0\0abc", b"\0\0\0\1\0\0\0\0\xff", bytes(8) + b"\0\5a"])
def test_bytes_that_are_no_slot_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        Slot.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_slot_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        assert Slot.decode(data).encode() == data
