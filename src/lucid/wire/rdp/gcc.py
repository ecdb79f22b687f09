"""The user data blocks of the conference: desktop size, depth, channels (sections 2.2.1.3.1 to 2.2.1.4.5)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lucid.wire.rdp.pdu import Cursor, ProtocolError

CS_CORE, CS_SECURITY, CS_NET, CS_MULTITRANSPORT = 0xC001, 0xC002, 0xC003, 0xC00A
SC_CORE, SC_SECURITY, SC_NET = 0x0C01, 0x0C02, 0x0C03

MAX_CHANNELS = 31
"""Most static virtual channels of a connection (section 2.2.1.3.4)."""

_VERSION = 0x0008_0004
_CORE_BYTES = 216


@dataclass(frozen=True, slots=True)
class Block:
    """One user data block: its type and the bytes after its four-byte header. Offsets in MS-RDPBCGR, and
    here, count from the header."""

    type: int
    data: bytes

    def u16(self, offset: int) -> int:
        return Cursor(self.data, offset - 4).u16()

    def u32(self, offset: int) -> int:
        return Cursor(self.data, offset - 4).u32()

    def patched(self, offset: int, value: bytes) -> "Block":
        """The block with `value` at `offset`; unchanged where the block ends before that, as optional
        fields may be left out."""
        start = offset - 4
        if start + len(value) > len(self.data):
            return self
        return Block(self.type, self.data[:start] + value + self.data[start + len(value) :])


def per_length(cursor: Cursor) -> int:
    """A PER length of one or two bytes (X.691 section 10.9)."""
    first = cursor.u8()
    if first & 0x80 == 0:
        return first
    if first & 0x40:
        raise ProtocolError("fragmented PER length")
    return (first & 0x3F) << 8 | cursor.u8()


def write_per_length(length: int) -> bytes:
    """`length` in two bytes. Raises ProtocolError above 16383."""
    if length > 0x3FFF:
        raise ProtocolError(f"{length} bytes do not fit in an MCS PDU")
    return (0x8000 | length).to_bytes(2, "big")


def parse_blocks(data: bytes) -> tuple[Block, ...]:
    """All blocks in `data`. Raises ProtocolError for a cut block."""
    cursor = Cursor(data)
    blocks = []
    while cursor.remaining:
        kind, length = cursor.u16(), cursor.u16()
        blocks.append(Block(kind, cursor.take(length - 4)))
    return tuple(blocks)


def encode_blocks(blocks: Iterable[Block]) -> bytes:
    parts = []
    for block in blocks:
        if len(block.data) > 0x3FFF:
            raise ProtocolError("user data block is too long")
        parts.append(block.type.to_bytes(2, "little") + (len(block.data) + 4).to_bytes(2, "little") + block.data)
    return b"".join(parts)


def find_block(blocks: Iterable[Block], kind: int) -> Block | None:
    """The first block of `kind`."""
    return next((block for block in blocks if block.type == kind), None)


@dataclass(frozen=True, slots=True)
class Channel:
    """A static virtual channel: up to 7 characters of name, and its options (section 2.2.1.3.4.1)."""

    name: str
    options: int


def parse_channels(block: Block) -> tuple[Channel, ...]:
    """The channels of a CS_NET block, in the order of their ids. Raises ProtocolError above 31."""
    cursor = Cursor(block.data)
    count = cursor.u32()
    if count > MAX_CHANNELS:
        raise ProtocolError(f"{count} channels")
    channels = []
    for _ in range(count):
        name = cursor.take(8).partition(b"\0")[0].decode("latin-1")
        channels.append(Channel(name, cursor.u32()))
    return tuple(channels)


def channels_block(channels: Sequence[Channel]) -> Block:
    """A CS_NET block. Raises ProtocolError for a name that does not fit."""
    parts = [len(channels).to_bytes(4, "little")]
    for channel in channels:
        name = channel.name.encode("latin-1", "replace")
        if len(name) > 7:
            raise ProtocolError("channel name is longer than 7 bytes")
        parts.append(name.ljust(8, b"\0") + channel.options.to_bytes(4, "little"))
    return Block(CS_NET, b"".join(parts))


def client_core(*, width: int, height: int, name: str, protocol: int) -> Block:
    """A CS_CORE block of a 32 bpp client without graphics pipeline. `name`: at most 15 characters."""
    data = bytearray(_CORE_BYTES - 4)
    for offset, size, value in (
        (4, 4, _VERSION),
        (8, 2, width),
        (10, 2, height),
        (12, 2, 0xCA01),  # colorDepth: 8 bpp, overridden by the fields below
        (14, 2, 0xAA03),  # SASSequence
        (16, 4, 0x0409),  # keyboardLayout: US
        (20, 4, 2600),  # clientBuild
        (56, 4, 4),  # keyboardType: IBM enhanced
        (64, 4, 12),  # function keys
        (132, 2, 0xCA01),
        (134, 2, 1),  # clientProductId
        (140, 2, 24),  # highColorDepth
        (142, 2, 0x0F),  # supportedColorDepths
        (144, 2, 0x0003),  # earlyCapabilityFlags: error info, 32 bpp
        (212, 4, protocol),  # serverSelectedProtocol
    ):
        data[offset - 4 : offset - 4 + size] = value.to_bytes(size, "little")
    text = name[:15].encode("utf-16-le")[:30]
    data[20 : 20 + len(text)] = text
    return Block(CS_CORE, bytes(data))


def client_name(core: Block) -> str:
    """The clientName of a CS_CORE block."""
    return Cursor(core.data, 20).take(32).decode("utf-16-le", "replace").partition("\0")[0]


def server_blocks(*, protocols: int, io_channel: int, channels: int) -> tuple[Block, ...]:
    """A Connect Response's blocks: no standard security, ids for `channels` channels after the I/O one."""
    ids = [io_channel, channels, *range(io_channel + 1, io_channel + 1 + channels)]
    net = b"".join(value.to_bytes(2, "little") for value in ids) + (b"\0\0" if channels % 2 else b"")
    core = b"".join(value.to_bytes(4, "little") for value in (_VERSION, protocols, 0))
    return Block(SC_CORE, core), Block(SC_SECURITY, bytes(8)), Block(SC_NET, net)


def server_channels(block: Block) -> tuple[int, tuple[int, ...]]:
    """The I/O channel's id and those of the static channels, from an SC_NET block."""
    cursor = Cursor(block.data)
    io_channel, count = cursor.u16(), cursor.u16()
    return io_channel, tuple(cursor.u16() for _ in range(count))
