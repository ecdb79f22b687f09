"""The journal: the durable form of sessions that are still open (docs/format.md section 2)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from lucid.base.errors import Corrupted
from lucid.base.ids import session_bytes
from lucid.crypto import aead

KEY_INFO = "lucid/journal/v1"
MAGIC = b"LUJR"
_CHECKED = struct.Struct(">16sIIBQ")
_HEAD = struct.Struct(">4sI16sIIBQ")
_NONCE = struct.Struct(">IQ")
_BOUND = struct.Struct(">16sIQB")
HEAD_BYTES = _HEAD.size


class RecordKind(IntEnum):
    """What a record holds: whole frames, nothing, or the end reason."""

    FRAMES = 0
    SEGMENT_END = 1
    SESSION_END = 2


def record_bytes(length: int) -> int:
    """How long the record of a plaintext of `length` bytes is."""
    return HEAD_BYTES + length + aead.TAG_BYTES


class SegmentWriter:
    """Makes the records of one segment, in order. A record's number is used up when it is made, written or
    not, so no nonce is ever used twice."""

    def __init__(self, data_key: bytes, session: str, segment: int) -> None:
        self._sealer = aead.Sealer(aead.derive(data_key, KEY_INFO))
        self._session = session_bytes(session)
        self._segment = segment
        self._number = 0

    def record(self, kind: RecordKind, plaintext: bytes | memoryview) -> bytes:
        """The next record's bytes."""
        data = bytearray(record_bytes(len(plaintext)))
        self.record_into(memoryview(data), kind, plaintext)
        return bytes(data)

    def record_into(self, place: memoryview, kind: RecordKind, plaintext: bytes | memoryview) -> None:
        """Put the next record into `place`, which has `record_bytes(len(plaintext))` bytes."""
        number, self._number = self._number, self._number + 1
        checked = _CHECKED.pack(self._session, self._segment, len(plaintext) + aead.TAG_BYTES, kind, number)
        place[:HEAD_BYTES] = MAGIC + zlib.crc32(checked).to_bytes(4, "big") + checked
        bound = _BOUND.pack(self._session, self._segment, number, kind)
        self._sealer.seal_into(place[HEAD_BYTES:], _NONCE.pack(self._segment, number), plaintext, bound)


@dataclass(frozen=True, slots=True)
class RecordHead:
    """What a record says of itself before its sealed part. `length`: bytes of the record, head included."""

    session: bytes
    segment: int
    number: int
    kind: RecordKind
    length: int


def read_head(data: bytes | memoryview, position: int) -> RecordHead | None:
    """The head at `position`; None where there is none, or one that is damaged. Whether the record opens, it does
    not say."""
    if position + HEAD_BYTES > len(data):
        return None
    magic, check, session, segment, length, kind, number = _HEAD.unpack_from(data, position)
    if magic != MAGIC or check != zlib.crc32(data[position + 8 : position + HEAD_BYTES]):
        return None
    if kind > RecordKind.SESSION_END:
        return None
    return RecordHead(session, segment, number, RecordKind(kind), HEAD_BYTES + length)


def find_heads(data: bytes, position: int) -> Iterator[tuple[int, RecordHead]]:
    """Every whole head at `position` or behind it, and where it begins: whatever stands in between."""
    while (position := data.find(MAGIC, position)) >= 0:
        if (head := read_head(data, position)) is not None:
            yield position, head
        position += 1


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment's frames, those of all its records; how it was closed (None: it ends in a crash) and, for the end of
    a session, the reason that was written."""

    frames: memoryview
    closed: RecordKind | None = None
    reason: str = ""


def open_segment(
    data_key: bytes, session: str, segment: int, data: bytes | memoryview, memory: memoryview | None = None
) -> OpenedSegment:
    """Open a segment's file. One that was not closed is valid up to its last complete record that opens. The frames
    are put into `memory`, as long as `data` or longer, where there is one: memory that was in use lately is faster.

    Raises Corrupted when a record is missing or does not open though a later one does (records are written one
    after the other, so a crash damages the last alone), and for anything behind an end record.
    """
    # Plaintext is shorter than its record, so there is room for all that is still to be opened, wherever it stands.
    place = memoryview(bytearray(len(data))) if memory is None else memory
    opener = aead.Opener(aead.derive(data_key, KEY_INFO))
    reader = _Reader(opener, session_bytes(session), segment, data, place)
    length = 0
    while (record := reader.next(length)) is not None:
        kind, opened = record
        if kind is RecordKind.FRAMES:
            length += opened
            continue
        if reader.position != len(data):
            raise Corrupted(f"segment {segment}: {len(data) - reader.position} bytes behind its end")
        return OpenedSegment(place[:length], kind, str(place[length : length + opened], "utf-8"))
    if reader.later_opens(length):
        raise Corrupted(f"segment {segment}: record {reader.number} does not open, one after it does")
    return OpenedSegment(place[:length])


@dataclass(slots=True)
class _Reader:
    opener: aead.Opener
    session: bytes
    segment: int
    data: bytes | memoryview
    place: memoryview
    position: int = 0
    number: int = 0

    def next(self, to: int) -> tuple[RecordKind, int] | None:
        """Put what the record at `position` holds at `to`, and move behind the record; its kind and how many bytes
        that were. None where that is not the next record, or it does not open."""
        head = read_head(self.data, self.position)
        if head is None or head.number != self.number:
            return None
        opened = self._open(self.position, head, to)
        if opened is None:
            return None
        self.position, self.number = self.position + head.length, head.number + 1
        return head.kind, opened

    def _open(self, position: int, head: RecordHead, to: int) -> int | None:
        if (head.session, head.segment) != (self.session, self.segment) or position + head.length > len(self.data):
            return None
        bound = _BOUND.pack(self.session, self.segment, head.number, head.kind)
        sealed = memoryview(self.data)[position + HEAD_BYTES : position + head.length]
        try:
            return self.opener.open_into(self.place[to:], _NONCE.pack(self.segment, head.number), sealed, bound)
        except Corrupted:
            return None

    def later_opens(self, to: int) -> bool:
        """Whether anything from `position` on is a later record of the segment, and opens."""
        found = find_heads(bytes(self.data), self.position)
        return any(head.number > self.number and self._open(at, head, to) is not None for at, head in found)
