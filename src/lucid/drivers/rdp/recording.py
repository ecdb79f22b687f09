"""Recording files (`.lucidrec`): what a host drew, to be replayed.

A file is one zstd frame that holds frames of docs/format.md section 1: first the event `start` with the
desktop's size, then frames from server to client, each of whole fast-path update PDUs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import zstandard

from lucid.base.errors import Corrupted, InvalidInput
from lucid.model.canonical import canonical_json
from lucid.model.frame import Direction, Frame, decode_frames, encode_frames

_LEVEL = 19
_MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Recording:
    """Updates of a desktop of `width` x `height` pixels, in order of time."""

    width: int
    height: int
    frames: tuple[Frame, ...]

    @property
    def duration_s(self) -> float:
        return self.frames[-1].time_us / 1e6 if self.frames else 0.0

    def to_bytes(self) -> bytes:
        event = {"event": "start", "height": self.height, "protocol": "rdp", "width": self.width}
        start = Frame(0, Direction.EVENT, canonical_json(event))
        return zstandard.ZstdCompressor(level=_LEVEL).compress(encode_frames((start, *self.frames)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises Corrupted when `data` is no such file."""
        try:
            start, *frames = decode_frames(zstandard.ZstdDecompressor().decompress(data, max_output_size=_MAX_BYTES))
            event = json.loads(start.data)
            return cls(int(event["width"]), int(event["height"]), tuple(frames))
        except (zstandard.ZstdError, InvalidInput, ValueError, KeyError, TypeError):
            raise Corrupted("not a desktop recording") from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises Corrupted, OSError."""
        return cls.from_bytes(path.read_bytes())
