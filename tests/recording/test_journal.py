import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import Corrupted
from lucid.base.ids import new_session_id
from lucid.recording.journal import OpenedSegment, RecordKind, SegmentWriter, open_segment

KEY = bytes(range(32))
SESSION = new_session_id()

Record = tuple[RecordKind, bytes]
FRAMES: list[Record] = [(RecordKind.FRAMES, bytes([n]) * (20 + n)) for n in range(5)]
END_OF_SEGMENT: Record = (RecordKind.SEGMENT_END, b"")


def written(records: list[Record], segment: int = 3) -> list[bytes]:
    writer = SegmentWriter(KEY, SESSION, segment)
    return [writer.record(kind, plaintext) for kind, plaintext in records]


def opened(data: bytes, segment: int = 3) -> OpenedSegment:
    return open_segment(KEY, SESSION, segment, data)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(frames: list[bytes], segment: int) -> None:
    records = [(RecordKind.FRAMES, frame) for frame in frames]
    data = b"".join(written([*records, (RecordKind.SESSION_END, b"idle-limit")], segment))
    assert opened(data, segment) == OpenedSegment(memoryview(b"".join(frames)), RecordKind.SESSION_END, "idle-limit")


@pytest.mark.parametrize("records", [FRAMES, [*FRAMES, END_OF_SEGMENT]])
def test_cut_at_every_byte_of_the_last_two_records_the_valid_prefix_remains(records: list[Record]) -> None:
    parts = written(records)
    before = len(b"".join(parts[:-2]))
    data = b"".join(parts)
    for cut in range(before, len(data)):
        whole = len(parts) - 2 + (cut >= before + len(parts[-2]))
        expected = [plaintext for kind, plaintext in records[:whole] if kind is RecordKind.FRAMES]
        assert opened(data[:cut]) == OpenedSegment(memoryview(b"".join(expected))), cut


def test_a_last_record_that_reached_the_disk_in_part_is_left_out() -> None:
    *parts, last = written(FRAMES)
    torn = b"".join(parts) + last[:20] + bytes(len(last) - 20)
    assert opened(torn).frames == b"".join(plaintext for _, plaintext in FRAMES[:-1])


@pytest.mark.parametrize("record", range(len(FRAMES)))
def test_every_flipped_bit_of_a_closed_segment_is_seen(record: int) -> None:
    parts = written([*FRAMES, END_OF_SEGMENT])
    for bit in range(8 * len(parts[record])):
        damaged = bytearray(parts[record])
        damaged[bit // 8] ^= 1 << bit % 8
        data = b"".join([*parts[:record], damaged, *parts[record + 1 :]])
        with pytest.raises(Corrupted, match=f"record {record} does not open"):
            opened(data)


def test_flipped_bits_of_the_end_record_take_the_end_away() -> None:
    *parts, end = written([*FRAMES, END_OF_SEGMENT])
    for bit in range(8 * len(end)):
        damaged = bytearray(end)
        damaged[bit // 8] ^= 1 << bit % 8
        assert opened(b"".join([*parts, damaged])).closed is None


def test_bytes_behind_the_end_are_seen() -> None:
    with pytest.raises(Corrupted, match="1 bytes behind its end"):
        opened(b"".join(written([*FRAMES, END_OF_SEGMENT])) + b"\0")


def test_records_open_in_their_own_place_only() -> None:
    first, second, *_ = written(FRAMES)
    with pytest.raises(Corrupted, match="record 0 does not open"):
        opened(second + first)
    assert opened(first, segment=4) == OpenedSegment(memoryview(b""))
    assert open_segment(KEY, new_session_id(), 3, first) == OpenedSegment(memoryview(b""))
    assert open_segment(os.urandom(32), SESSION, 3, first) == OpenedSegment(memoryview(b""))


def test_a_dropped_or_repeated_record_is_seen() -> None:
    parts = written([*FRAMES, END_OF_SEGMENT])
    for wrong in (parts[:2] + parts[3:], parts[:2] + parts[4:], parts[:2] + parts[1:]):
        with pytest.raises(Corrupted, match="record 2 does not open, one after it does"):
            opened(b"".join(wrong))


def test_the_same_plaintext_never_gives_the_same_ciphertext() -> None:
    records = written([(RecordKind.FRAMES, b"same")] * 50, 0) + written([(RecordKind.FRAMES, b"same")] * 50, 1)
    assert len({record[13:] for record in records}) == 100
