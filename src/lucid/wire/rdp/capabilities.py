"""Capabilities: what each side can draw, and the two PDUs that exchange them (sections 2.2.1.13 and 2.2.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from lucid.wire.rdp.pdu import Cursor

GENERAL, BITMAP, ORDER, POINTER, SHARE, INPUT, FONT = 1, 2, 3, 8, 9, 13, 14
OFFSCREEN, VIRTUAL_CHANNEL, SURFACE_COMMANDS, BITMAP_CODECS, FRAME_ACKNOWLEDGE = 0x11, 0x14, 0x1C, 0x1D, 0x1E

FAST_PATH_OUTPUT, LONG_CREDENTIALS = 0x0001, 0x0004
"""extraFlags of the general set."""

_SCANCODES_FAST_PATH_AND_UNICODE = 0x0001 | 0x0004 | 0x0010 | 0x0020


@dataclass(frozen=True, slots=True)
class Capability:
    """One capability set; `data` is what follows its four-byte header, from which offsets count."""

    type: int
    data: bytes

    def u8(self, offset: int) -> int:
        return Cursor(self.data, offset - 4).u8()

    def u16(self, offset: int) -> int:
        return Cursor(self.data, offset - 4).u16()

    def patched(self, offset: int, value: bytes) -> "Capability":
        """With `value` at `offset`; bytes past the end of the set are left out."""
        start = offset - 4
        if start >= len(self.data):
            return self
        data = bytearray(self.data)
        data[start : start + len(value)] = value[: len(data) - start]
        return Capability(self.type, bytes(data))


def parse_capabilities(cursor: Cursor, combined: int) -> tuple[Capability, ...]:
    """The sets in the next `combined` bytes: a count, padding, then the sets."""
    inner = Cursor(cursor.take(combined))
    count = inner.u16()
    inner.take(2)
    sets = []
    for _ in range(count):
        kind, length = inner.u16(), inner.u16()
        sets.append(Capability(kind, inner.take(length - 4)))
    return tuple(sets)


def encode_capabilities(sets: Iterable[Capability]) -> bytes:
    encoded = [s.type.to_bytes(2, "little") + (len(s.data) + 4).to_bytes(2, "little") + s.data for s in sets]
    return len(encoded).to_bytes(2, "little") + b"\0\0" + b"".join(encoded)


@dataclass(frozen=True, slots=True)
class DemandActive:
    """The server's capabilities (section 2.2.1.13.1)."""

    share_id: int
    capabilities: tuple[Capability, ...]
    source: bytes = b"RDP\0"
    session: int = 0

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        share_id, source_bytes, combined = cursor.u32(), cursor.u16(), cursor.u16()
        source = cursor.take(source_bytes)
        capabilities = parse_capabilities(cursor, combined)
        # FreeRDP accepts servers that leave the session id out; so do we.
        return cls(share_id, capabilities, source, cursor.u32() if cursor.remaining >= 4 else 0)

    def to_body(self) -> bytes:
        sets = encode_capabilities(self.capabilities)
        head = self.share_id.to_bytes(4, "little") + len(self.source).to_bytes(2, "little")
        return head + len(sets).to_bytes(2, "little") + self.source + sets + self.session.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class ConfirmActive:
    """The client's capabilities (section 2.2.1.13.2)."""

    share_id: int
    capabilities: tuple[Capability, ...]
    source: bytes = b"LUCID\0"
    originator: int = 0x03EA

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        share_id, originator = cursor.u32(), cursor.u16()
        source_bytes, combined = cursor.u16(), cursor.u16()
        source = cursor.take(source_bytes)
        return cls(share_id, parse_capabilities(cursor, combined), source, originator)

    def to_body(self) -> bytes:
        sets = encode_capabilities(self.capabilities)
        fields = (self.originator, len(self.source), len(sets))
        head = self.share_id.to_bytes(4, "little") + b"".join(value.to_bytes(2, "little") for value in fields)
        return head + self.source + sets


def desktop_size(sets: Iterable[Capability]) -> tuple[int, int] | None:
    """Width and height in pixels, if a bitmap set says them."""
    for capability in sets:
        if capability.type == BITMAP:
            return capability.u16(12), capability.u16(14)
    return None


def _set(kind: int, *fields: tuple[int, int]) -> Capability:
    """From fields of (bytes, value)."""
    return Capability(kind, b"".join(value.to_bytes(size, "little") for size, value in fields))


def bitmap_capabilities(width: int, height: int) -> tuple[Capability, ...]:
    """Capabilities of a 32 bpp peer, client or server, that speaks bitmap updates only."""
    general = (1, 3, 0x0200, 0, 0, FAST_PATH_OUTPUT | LONG_CREDENTIALS, 0, 0, 0)
    bitmap = (32, 1, 1, 1, width, height, 0, 1, 1)
    order = ((16, 0), (4, 0), (2, 1), (2, 20), (2, 0), (2, 1), (2, 0), (2, 0x000A), (32, 0))
    keyboard = ((4, 0x0409), (4, 4), (4, 0), (4, 12), (64, 0))
    return (
        _set(GENERAL, *((2, value) for value in general), (1, 0), (1, 0)),
        _set(BITMAP, *((2, value) for value in bitmap), (1, 0), (1, 0), (2, 1), (2, 0)),
        _set(ORDER, *order, (2, 0), (2, 0), (4, 0), (4, 0), (2, 0), (2, 0), (2, 0), (2, 0)),
        _set(POINTER, (2, 1), (2, 25), (2, 25)),
        _set(SHARE, (2, 0), (2, 0)),
        _set(INPUT, (2, _SCANCODES_FAST_PATH_AND_UNICODE), (2, 0), *keyboard),
        _set(FONT, (2, 1), (2, 0)),
        _set(VIRTUAL_CHANNEL, (4, 0), (4, 1600)),
    )
