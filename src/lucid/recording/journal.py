"""The journal: the durable form of a session that is still open (docs/format.md section 2)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from lucid.base.errors import Corrupted
from lucid.base.ids import session_bytes
from lucid.crypto import aead

KEY_INFO = "lucid/journal/v1"
_HEAD = struct.Struct(">IBQ")
_NONCE = struct.Struct(">IQ")
_BOUND = struct.Struct(">16sIQB")
_NUMBER_OFFSET = 5


class RecordKind(IntEnum):
    """What a record holds: whole frames, nothing, or the end reason."""

    FRAMES = 0
    SEGMENT_END = 1
    SESSION_END = 2


class SegmentWriter:
    """Makes the records of one segment, in order. A record's number is used up when it is made, written or
    not, so no nonce is ever used twice."""

    def __init__(self, data_key: bytes, session: str, segment: int) -> None:
        self._key = aead.derive(data_key, KEY_INFO)
        self._session = session_bytes(session)
        self._segment = segment
        self._number = 0

    def record(self, kind: RecordKind, plaintext: bytes) -> bytes:
        """The next record's bytes."""
        number, self._number = self._number, self._number + 1
        bound = _BOUND.pack(self._session, self._segment, number, kind)
        sealed = aead.seal(self._key, _NONCE.pack(self._segment, number), plaintext, bound)
        return _HEAD.pack(len(sealed), kind, number) + sealed


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment's frames, one item a record; how it was closed (None: it ends in a crash) and, for the end of
    a session, the reason that was written."""

    frames: list[bytes]
    closed: RecordKind | None = None
    reason: str = ""


def open_segment(data_key: bytes, session: str, segment: int, data: bytes) -> OpenedSegment:
    """Open a segment's file. One that was not closed is valid up to its last complete record that opens.

    Raises Corrupted when a record does not open though a later one does (records are written one after the
    other, so a crash damages the last alone), and for anything behind an end record.
    """
    frames: list[bytes] = []
    closed, reason = read_segment(data_key, session, segment, data, frames.append)
    return OpenedSegment(frames, closed, reason)


def read_segment(
    data_key: bytes, session: str, segment: int, data: bytes, take: Callable[[bytes], None]
) -> tuple[RecordKind | None, str]:
    """`open_segment` without keeping the frames: `take` gets those of each record as soon as it is open. Returns how
    the segment was closed, and the reason."""
    reader = _Reader(aead.derive(data_key, KEY_INFO), session_bytes(session), segment, data)
    while (record := reader.next()) is not None:
        kind, plaintext = record
        if kind is RecordKind.FRAMES:
            take(plaintext)
            continue
        if reader.position != len(data):
            raise Corrupted(f"segment {segment}: {len(data) - reader.position} bytes behind its end")
        return kind, plaintext.decode()
    if reader.next_opens():
        raise Corrupted(f"segment {segment}: record {reader.number} does not open, the one after it does")
    return None, ""


def promised_bytes(data: bytes) -> int:
    """How many bytes of frames a segment's heads promise: all there are, unless a record does not open."""
    position = total = 0
    while position + _HEAD.size <= len(data):
        length, kind, _ = _HEAD.unpack_from(data, position)
        position += _HEAD.size + length
        if kind == RecordKind.FRAMES:
            total += max(0, length - aead.TAG_BYTES)
    return total


@dataclass(slots=True)
class _Reader:
    key: bytes
    session: bytes
    segment: int
    data: bytes
    position: int = 0
    number: int = 0

    def next(self) -> tuple[RecordKind, bytes] | None:
        """The record at `position`, which then moves behind it; None where none opens."""
        start = self.position + _HEAD.size
        if start > len(self.data):
            return None
        length, kind, number = _HEAD.unpack_from(self.data, self.position)
        if start + length > len(self.data) or number != self.number or kind > RecordKind.SESSION_END:
            return None
        bound = _BOUND.pack(self.session, self.segment, number, kind)
        sealed = memoryview(self.data)[start : start + length]
        try:
            plaintext = aead.open(self.key, _NONCE.pack(self.segment, number), sealed, bound)
        except Corrupted:
            return None
        self.position, self.number = start + length, number + 1
        return RecordKind(kind), plaintext

    def next_opens(self) -> bool:
        """Whether the record behind the one that does not open can be found by its number and opens."""
        at = self.data.find(struct.pack(">Q", self.number + 1), self.position + _HEAD.size)
        return at >= 0 and replace(self, position=at - _NUMBER_OFFSET, number=self.number + 1).next() is not None
