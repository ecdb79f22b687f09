"""Names and bytes of a C2SP tlog-tiles log: tile paths, entry bundles, checkpoint and block texts.

Sources: c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint, docs/format.md sections 6 and 7.
"""

import base64
import binascii
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from lucid.base.clock import parse_time
from lucid.base.errors import InvalidInput
from lucid.model.canonical import DIGEST_PATTERN, NO_DIGEST, digest_of

TILE_WIDTH = 256
HASH_BYTES = 32
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def number_path(number: int) -> str:
    """`number` in 3-digit path elements: 1234067 is `x001/x234/067`."""
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Path of a hash tile; `width` under 256 names a partial tile."""
    return f"tile/{level}/{number_path(number)}" + (f".p/{width}" if width < TILE_WIDTH else "")


def entries_path(number: int, width: int = TILE_WIDTH) -> str:
    """Path of an entry bundle."""
    return f"tile/entries/{number_path(number)}" + (f".p/{width}" if width < TILE_WIDTH else "")


def block_path(height: int) -> str:
    """Path of a block."""
    return f"block/{number_path(height)}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, number, width) of every tile of a tree of `size` entries, level by level."""
    level = 0
    while size > 0:
        full, rest = divmod(size, TILE_WIDTH)
        for number in range(full):
            yield level, number, TILE_WIDTH
        if rest:
            yield level, full, rest
        size = full
        level += 1


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry after its 16-bit length. Raises InvalidInput for one over 65,535 bytes."""
    parts = []
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise InvalidInput(f"entry: {len(entry)} bytes, at most 65535 are allowed")
        parts.append(struct.pack(">H", len(entry)))
        parts.append(entry)
    return b"".join(parts)


def decode_entries(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises InvalidInput where it is cut."""
    entries = []
    position = 0
    while position < len(data):
        if position + 2 > len(data):
            raise InvalidInput("entry bundle: cut inside a length")
        (length,) = struct.unpack_from(">H", data, position)
        position += 2 + length
        if position > len(data):
            raise InvalidInput("entry bundle: cut inside an entry")
        entries.append(data[position - length : position])
    return entries


def _decimal(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise InvalidInput(f"{what}: expected a decimal number without leading zeros")
    return int(text)


def decode_hash(text: str, what: str) -> bytes:
    """32 bytes from base64 (RFC 4648 section 4, canonical). Raises InvalidInput naming `what`."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != HASH_BYTES or base64.b64encode(value).decode() != text:
        raise InvalidInput(f"{what}: expected the base64 of 32 bytes")
    return value


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the text of a signed checkpoint (c2sp.org/tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse a note's text. Extension lines, which are not empty, are allowed and ignored, as the specification
        says."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] != "" or not lines[0]:
            raise InvalidInput("checkpoint: expected origin, size and root, each on a line")
        if "" in lines[3:-1]:
            raise InvalidInput("checkpoint: an extension line is empty")
        return cls(lines[0], _decimal(lines[1], "checkpoint size"), decode_hash(lines[2], "checkpoint root"))


@dataclass(frozen=True, slots=True)
class Block:
    """One slot's worth of entries in the chain of blocks; the text of a signed note (section 7)."""

    origin: str
    height: int
    time: str
    previous: str
    size: int
    root: bytes
    entries: int
    proposer: str

    def to_text(self) -> str:
        return (
            f"lucid-block/1 {self.origin}\n"
            f"height {self.height}\n"
            f"time {self.time}\n"
            f"previous {self.previous}\n"
            f"size {self.size}\n"
            f"root {base64.b64encode(self.root).decode()}\n"
            f"entries {self.entries}\n"
            f"proposer {self.proposer}\n"
        )

    def digest(self) -> str:
        return digest_of(self.to_text().encode())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse a note's text. Raises InvalidInput naming the line that is wrong or contradicts another."""
        lines = text.split("\n")
        names = ("lucid-block/1", "height", "time", "previous", "size", "root", "entries", "proposer")
        if len(lines) != len(names) + 1 or lines[-1] != "":
            raise InvalidInput("block: expected eight lines")
        values = []
        for name, line in zip(names, lines, strict=False):
            key, space, value = line.partition(" ")
            if key != name or not space or not value:
                raise InvalidInput(f"block: expected a line '{name} …'")
            values.append(value)
        origin, height, time, previous, size, root, entries, proposer = values
        try:
            parse_time(time)
        except ValueError as error:
            raise InvalidInput(f"block time: {error}") from None
        if not DIGEST_PATTERN.fullmatch(previous):
            raise InvalidInput("block previous: expected 64 hex digits")
        block = cls(
            origin,
            _decimal(height, "block height"),
            time,
            previous,
            _decimal(size, "block size"),
            decode_hash(root, "block root"),
            _decimal(entries, "block entries"),
            proposer,
        )
        block._check()
        return block

    def _check(self) -> None:
        """What the lines say of each other, since every block before this one has an entry at least."""
        if self.entries < 1:
            raise InvalidInput("block entries: a block has at least one")
        before = self.size - self.entries
        if before < self.height or (self.height == 0 and before > 0):
            raise InvalidInput(f"block size: {self.size} is not that of a block of {self.entries} at this height")
        if (self.height == 0) != (self.previous == NO_DIGEST):
            raise InvalidInput("block previous: zeros stand in block 0 and in no other")
