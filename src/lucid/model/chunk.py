"""Sealed chunks: the header that binds ciphertext to its session and place (docs/format.md section 3)."""

import struct
import uuid
from dataclasses import dataclass
from typing import Self

from pydantic import Field

from lucid.base.errors import InvalidInput
from lucid.base.ids import session_bytes
from lucid.base.value import Value
from lucid.model.canonical import Digest, canonical_json

MAGIC = b"LUCIDCK1"
_HEADER = struct.Struct(">8s16sQIQQQQ32s")
HEADER_BYTES = _HEADER.size
MIN_CHUNK_BYTES = HEADER_BYTES + 16
"""A header and the tag of AES-GCM."""
MAX_ATTEMPT = 2**32 - 1
MAX_CHUNK_BYTES = 64 * 1024 * 1024
"""Most bytes of a chunk file, and of its frames before compression: a verifier holds one chunk in memory."""


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """The 100 bytes before the ciphertext, which are also its additional data. Times in microseconds."""

    session: str
    index: int
    attempt: int
    first_us: int
    last_us: int
    frames: int
    length: int
    previous: bytes

    def to_bytes(self) -> bytes:
        return _HEADER.pack(
            MAGIC,
            session_bytes(self.session),
            self.index,
            self.attempt,
            self.first_us,
            self.last_us,
            self.frames,
            self.length,
            self.previous,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The header of a chunk file. Raises InvalidInput for a short file or another magic."""
        if len(data) < MIN_CHUNK_BYTES:
            raise InvalidInput("chunk: shorter than a header and a tag")
        magic, session, *rest = _HEADER.unpack_from(data)
        if magic != MAGIC:
            raise InvalidInput("chunk: does not begin with LUCIDCK1")
        return cls(str(uuid.UUID(bytes=session)), *rest)

    def nonce(self) -> bytes:
        """The AES-GCM nonce: attempt and index. Unique under one data key, since a new attempt has a new number."""
        return struct.pack(">IQ", self.attempt, self.index)


class ChunkRecord(Value):
    """A stored chunk as the bundle lists it: its name and what its header says."""

    digest: Digest
    size: int = Field(ge=0, description="bytes of the chunk file")
    index: int = Field(ge=0)
    attempt: int = Field(ge=0)
    first_us: int = Field(ge=0)
    last_us: int = Field(ge=0)
    frames: int = Field(ge=1)
    length: int = Field(ge=1, description="bytes of the frames before compression")

    def to_bytes(self) -> bytes:
        """Canonical JSON: what the manifest's chunk root is made of."""
        return canonical_json(self.model_dump())
