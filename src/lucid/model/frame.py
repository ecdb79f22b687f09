"""Frames: what the gateway saw, when, in which direction (docs/format.md section 1)."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from pydantic import Field

from lucid.base.errors import InvalidInput
from lucid.model.canonical import CanonicalValue, parse_canonical

_HEAD = struct.Struct(">QBI")
HEAD_BYTES = _HEAD.size
MAX_FRAME_BYTES = 16 * 1024 * 1024


class Direction(IntEnum):
    CLIENT_TO_SERVER = 0
    SERVER_TO_CLIENT = 1
    EVENT = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One piece of one direction's stream. `time_us`: microseconds since the session began."""

    time_us: int
    direction: Direction
    data: bytes


class StartEvent(CanonicalValue):
    """The first frame of a session: the desktop size that the client asked for, in pixels."""

    event: Literal["start"] = "start"
    height: int = Field(ge=0, le=65_535)
    protocol: Literal["rdp"] = "rdp"
    width: int = Field(ge=0, le=65_535)


def put_frame_head(place: memoryview, position: int, time_us: int, direction: Direction, length: int) -> None:
    """Put the 13 bytes before a frame's data at `position`."""
    _HEAD.pack_into(place, position, time_us, direction, length)


def encode_frames(frames: Iterable[Frame]) -> bytes:
    """The frames' bytes, one after the other."""
    parts = []
    for frame in frames:
        parts.append(_HEAD.pack(frame.time_us, frame.direction, len(frame.data)))
        parts.append(frame.data)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """What a run of encoded frames holds: count, first and last time in microseconds."""

    count: int
    first_us: int
    last_us: int


def scan_frames(data: bytes | memoryview, client: list[bytes | memoryview] | None = None) -> FrameSpan:
    """Walk over encoded frames without copying them, but for those from client to server, encoded as they are, if
    there is a list `client` to add them to. Raises InvalidInput where they are not whole, have an unknown direction,
    or go back in time."""
    position, count, first, last = 0, 0, 0, 0
    end = len(data)
    while position < end:
        if end - position < HEAD_BYTES:
            raise InvalidInput("frames: the last frame's head is cut")
        time_us, direction, length = _HEAD.unpack_from(data, position)
        position += HEAD_BYTES + length
        if direction > Direction.EVENT:
            raise InvalidInput(f"frames: unknown direction {direction}")
        if length > MAX_FRAME_BYTES:
            raise InvalidInput(f"frames: a frame of {length} bytes is over the limit")
        if position > end:
            raise InvalidInput("frames: the last frame's data is cut")
        if count == 0:
            first = time_us
        elif time_us < last:
            raise InvalidInput("frames: time goes back")
        last = time_us
        count += 1
        if not direction and client is not None:
            client.append(data[position - length - HEAD_BYTES : position])
    return FrameSpan(count, first, last)


def check_events(data: bytes, *, first: bool) -> None:
    """Check the events in frames that `scan_frames` found whole; `first`: the session begins with them. Raises
    InvalidInput when the start event is not the first frame of the session and that alone, or an event is not the
    canonical JSON of an object that names its kind."""
    position = number = 0
    while position < len(data):
        _, direction, length = _HEAD.unpack_from(data, position)
        position += HEAD_BYTES + length
        is_start = first and number == 0
        if is_start and direction != Direction.EVENT:
            raise InvalidInput("frames: the session does not begin with the event 'start'")
        if direction == Direction.EVENT:
            _check_event(data[position - length : position], is_start)
        number += 1


def _check_event(data: bytes, is_start: bool) -> None:
    if is_start:
        StartEvent.from_bytes(data)
        return
    event = parse_canonical(data)
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise InvalidInput("event: not an object with a text 'event'")
    if event["event"] == "start":
        raise InvalidInput("event: 'start' stands elsewhere than first")


def decode_frames(data: bytes) -> Iterator[Frame]:
    """The frames in `data`. Raises InvalidInput as `scan_frames` does, before the first frame."""
    scan_frames(data)
    position = 0
    while position < len(data):
        time_us, direction, length = _HEAD.unpack_from(data, position)
        start = position + HEAD_BYTES
        position = start + length
        yield Frame(time_us, Direction(direction), data[start:position])
