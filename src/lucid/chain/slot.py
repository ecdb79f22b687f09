"""One slot of the log as bytes: what blockchain-engine hands to block-manager."""

import struct
from dataclasses import dataclass
from typing import Self

from lucid.base.errors import InvalidInput
from lucid.model.tlog import decode_entries, encode_entries

_LENGTHS = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class Slot:
    """Signed block, signed checkpoint of the tree that the block leads to, and the block's entries."""

    block: str
    checkpoint: str
    entries: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Lengths of the notes (32 bits each), the notes, the entries as a bundle."""
        block, checkpoint = self.block.encode(), self.checkpoint.encode()
        return _LENGTHS.pack(len(block), len(checkpoint)) + block + checkpoint + encode_entries(self.entries)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises InvalidInput for bytes that are no slot; notes and entries stay unchecked."""
        if len(data) < _LENGTHS.size:
            raise InvalidInput("slot: cut inside the lengths")
        block, checkpoint = _LENGTHS.unpack_from(data)
        middle = _LENGTHS.size + block
        end = middle + checkpoint
        if end > len(data):
            raise InvalidInput("slot: cut inside a note")
        try:
            return cls(
                data[_LENGTHS.size : middle].decode(), data[middle:end].decode(), tuple(decode_entries(data[end:]))
            )
        except UnicodeDecodeError:
            raise InvalidInput("slot: a note is not UTF-8") from None
