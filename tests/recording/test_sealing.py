import os

import pytest
from zstandard import ZstdDecompressor, get_frame_parameters

from lucid.base.errors import Corrupted
from lucid.base.ids import new_session_id
from lucid.crypto import aead
from lucid.model.canonical import NO_DIGEST, digest_of
from lucid.model.chunk import HEADER_BYTES, ChunkHeader
from lucid.model.frame import Direction, Frame, decode_frames, encode_frames
from lucid.model.manifest import WrappedKey
from lucid.ports.recording import SealJob
from lucid.recording.journal import RecordKind, SegmentWriter
from lucid.recording.sealing import pack_segment, seal_segment

KEY = bytes(range(32))
FRAMES = [Frame(1000 * n, Direction(n % 2), bytes([n]) * 50) for n in range(40)]
JOB = SealJob(
    session=new_session_id(),
    segment=7,
    complete=True,
    index=7,
    attempt=2,
    previous=digest_of(b"the chunk before"),
    platform_key=WrappedKey(recipient="age1platform", wrapped=""),
)


def segment(*plaintexts: bytes, end: bool = True) -> bytes:
    writer = SegmentWriter(KEY, JOB.session, JOB.segment)
    records = [writer.record(RecordKind.FRAMES, plaintext) for plaintext in plaintexts]
    return b"".join([*records, writer.record(RecordKind.SEGMENT_END, b"")] if end else records)


def test_a_chunk_is_what_the_format_says() -> None:
    sealed = seal_segment(JOB, KEY, segment(encode_frames(FRAMES[:15]), encode_frames(FRAMES[15:])))
    assert sealed is not None
    header = ChunkHeader.from_bytes(sealed.data)
    assert header == sealed.header
    assert (header.session, header.index, header.attempt) == (JOB.session, 7, 2)
    assert (header.first_us, header.last_us, header.frames) == (0, 39_000, 40)
    assert header.previous.hex() == JOB.previous
    assert header.length == len(encode_frames(FRAMES))
    nonce = (2).to_bytes(4, "big") + (7).to_bytes(8, "big")
    compressed = aead.open(KEY, nonce, sealed.data[HEADER_BYTES:], sealed.data[:HEADER_BYTES])
    assert list(decode_frames(ZstdDecompressor().decompress(compressed))) == FRAMES
    record = sealed.record("ab" * 32)
    assert (record.size, record.index, record.frames, record.length) == (len(sealed.data), 7, 40, header.length)


def test_the_header_is_bound_to_the_ciphertext() -> None:
    sealed = seal_segment(JOB, KEY, segment(encode_frames(FRAMES)))
    assert sealed is not None
    for byte in range(HEADER_BYTES):
        head = bytearray(sealed.data[:HEADER_BYTES])
        head[byte] ^= 1
        with pytest.raises(Corrupted):
            aead.open(KEY, sealed.header.nonce(), sealed.data[HEADER_BYTES:], bytes(head))


def test_a_segment_without_frames_has_no_chunk() -> None:
    assert seal_segment(JOB, KEY, segment()) is None
    assert seal_segment(JOB.model_copy(update={"complete": False}), KEY, b"") is None


def test_a_segment_that_lost_its_end_is_not_sealed() -> None:
    data = segment(encode_frames(FRAMES))
    with pytest.raises(Corrupted, match="segment 7: its end is missing"):
        seal_segment(JOB, KEY, data[:-1])


def test_the_last_segment_of_a_crash_is_sealed_as_far_as_it_goes() -> None:
    data = segment(encode_frames(FRAMES[:20]), encode_frames(FRAMES[20:]), end=False)
    sealed = seal_segment(JOB.model_copy(update={"complete": False}), KEY, data[:-1])
    assert sealed is not None
    assert sealed.header.frames == 20


def test_frames_that_are_not_whole_are_not_sealed() -> None:
    with pytest.raises(Corrupted, match="segment 7: frames"):
        seal_segment(JOB, KEY, segment(encode_frames(FRAMES)[:-1]))


def test_records_make_the_same_chunk_as_their_frames_at_once() -> None:
    """A chunk tells its length to zstd, and does not show where a record ended."""
    whole = encode_frames(FRAMES)
    for data in (segment(whole), segment(*(encode_frames([frame]) for frame in FRAMES)), segment(b"", whole)):
        sealed = seal_segment(JOB, KEY, data)
        assert sealed is not None
        compressed = aead.open(KEY, sealed.header.nonce(), sealed.data[HEADER_BYTES:], sealed.data[:HEADER_BYTES])
        assert get_frame_parameters(compressed).content_size == len(whole)
        assert ZstdDecompressor().decompress(compressed) == whole
        assert (sealed.header.first_us, sealed.header.last_us, sealed.header.frames) == (0, 39_000, 40)


@pytest.mark.parametrize("cut", [1, 10, 40, 900])
def test_a_cut_segments_chunk_tells_the_length_that_is_left(cut: int) -> None:
    data = segment(*(encode_frames([frame]) for frame in FRAMES), end=False)[:-cut]
    sealed = seal_segment(JOB.model_copy(update={"complete": False}), KEY, data)
    assert sealed is not None
    compressed = aead.open(KEY, sealed.header.nonce(), sealed.data[HEADER_BYTES:], sealed.data[:HEADER_BYTES])
    assert get_frame_parameters(compressed).content_size == sealed.header.length
    assert list(decode_frames(ZstdDecompressor().decompress(compressed))) == FRAMES[: sealed.header.frames]
    assert 30 <= sealed.header.frames < 40


def test_time_that_goes_back_between_records_is_not_sealed() -> None:
    with pytest.raises(Corrupted, match="segment 7: frames: time goes back"):
        seal_segment(JOB, KEY, segment(encode_frames(FRAMES[20:]), encode_frames(FRAMES[:20])))


def test_no_digest_stands_before_the_first_chunk() -> None:
    first = JOB.model_copy(update={"index": 0, "previous": NO_DIGEST})
    sealed = seal_segment(first, KEY, segment(encode_frames(FRAMES)))
    assert sealed is not None
    assert sealed.header.previous == bytes(32)


def test_memory_that_held_another_segment_leaves_nothing_of_it() -> None:
    memory = memoryview(bytearray(b"\xff" * 10_000))
    data = segment(*(encode_frames([frame]) for frame in FRAMES))
    fresh = pack_segment(KEY, JOB.session, JOB.segment, data, client=True)
    packed = pack_segment(KEY, JOB.session, JOB.segment, data, client=True, memory=memory)
    memory[:] = bytes(10_000)
    assert packed == fresh
    assert packed.client == encode_frames(frame for frame in FRAMES if frame.direction is Direction.CLIENT_TO_SERVER)


@pytest.mark.parametrize("level", [2, 3])
def test_what_was_shown_megabytes_ago_is_not_stored_again(level: int) -> None:
    seen, other = os.urandom(500_000), os.urandom(3_000_000)
    frames = [Frame(n, Direction.SERVER_TO_CLIENT, data) for n, data in enumerate((seen, other, seen))]
    sealed = seal_segment(JOB, KEY, segment(encode_frames(frames)), zstd_level=level)
    assert sealed is not None
    assert len(sealed.data) < len(seen) + len(other) + 100_000
