"""The write-ahead log: nothing acknowledged is lost, torn ends are dropped, damage is reported."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import Corrupted, StorageFull
from lucid.chain.wal import Wal, decode_batches, encode_batch
from tests.chain.memory_folder import MemoryFolder

FIRST = "wal/0000000000000000"


def three() -> bytes:
    return encode_batch(0, [b"a", b"b"]) + encode_batch(2, [b"c"]) + encode_batch(3, [b"d"])


async def test_what_was_appended_is_replayed_behind_the_published_size() -> None:
    folder = MemoryFolder()
    wal = Wal(folder)
    await wal.append(0, [b"a", b"b"])
    await wal.append(2, [b"c"])
    for published, left in ((0, [b"a", b"b", b"c"]), (1, [b"b", b"c"]), (2, [b"c"]), (3, []), (9, [])):
        assert await Wal(folder).replay(published) == left


async def test_a_restart_continues_in_a_new_file() -> None:
    folder = MemoryFolder({FIRST: three()})
    wal = Wal(folder)
    assert len(await wal.replay(0)) == 4
    await wal.append(4, [b"e"])
    assert await folder.list("wal") == [FIRST, "wal/0000000000000001"]
    assert await Wal(folder).replay(0) == [b"a", b"b", b"c", b"d", b"e"]


async def test_files_are_deleted_when_the_tree_covers_them() -> None:
    folder = MemoryFolder({FIRST: three()})
    wal = Wal(folder)
    await wal.replay(0)
    await wal.append(4, [b"e"])
    await wal.published(3)
    assert len(await folder.list("wal")) == 2
    await wal.published(4)
    assert await folder.list("wal") == ["wal/0000000000000001"]
    await wal.append(5, [b"f"])
    await wal.published(6)
    assert await folder.list("wal") == []


@given(st.integers(0, len(three())))
def test_a_torn_end_loses_whole_batches_only(length: int) -> None:
    ends = {0: [], len(encode_batch(0, [b"a", b"b"])): [b"a", b"b"]}
    ends[max(ends) + len(encode_batch(2, [b"c"]))] = [b"a", b"b", b"c"]
    ends[len(three())] = [b"a", b"b", b"c", b"d"]
    kept = [entry for _, entries in decode_batches("wal", three()[:length]) for entry in entries]
    assert kept == ends[max(end for end in ends if end <= length)]


@given(st.integers(0, len(three()) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_reported_unless_it_may_be_a_torn_end(position: int, bit: int) -> None:
    data = bytearray(three())
    data[position] ^= 1 << bit
    if position < len(three()) - len(encode_batch(3, [b"d"])):
        with pytest.raises(Corrupted, match="lost"):
            list(decode_batches("wal", bytes(data)))
    else:
        assert [first for first, _ in decode_batches("wal", bytes(data))] == [0, 2]


async def test_a_missing_file_is_reported() -> None:
    folder = MemoryFolder({"wal/0000000000000007": encode_batch(5, [b"x"])})
    assert await Wal(folder).replay(5) == [b"x"]
    with pytest.raises(Corrupted, match="entries 3 to 4 are missing"):
        await Wal(folder).replay(3)


async def test_after_a_full_disk_the_next_append_overrules_what_was_half_written() -> None:
    folder = MemoryFolder()
    wal = Wal(folder)
    await wal.append(0, [b"a"])
    folder.refuse = StorageFull("full")
    with pytest.raises(StorageFull):
        await wal.append(1, [b"never acknowledged"])
    folder.refuse = None
    await wal.append(1, [b"b"])
    assert await Wal(folder).replay(0) == [b"a", b"b"]
    whole = encode_batch(1, [b"never acknowledged", b"nor this"])
    folder.files[FIRST] = encode_batch(0, [b"a"]) + whole
    assert await Wal(folder).replay(0) == [b"a", b"b"]
