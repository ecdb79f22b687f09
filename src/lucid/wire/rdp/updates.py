"""What the host draws: bitmap updates, palettes and desktop sizes out of a server-to-client byte stream.

Slow-path updates (sections 2.2.9.1.1) and fast-path ones (2.2.9.1.2) carry the same bodies.
"""

from dataclasses import dataclass

from lucid.wire.rdp import mcs, share
from lucid.wire.rdp.capabilities import DemandActive, desktop_size
from lucid.wire.rdp.gcc import SC_NET, find_block, server_channels
from lucid.wire.rdp.mcs import ConnectResponse, SendData
from lucid.wire.rdp.pdu import Cursor, PduReader, ProtocolError, fast_path_header
from lucid.wire.rdp.share import ShareData, parse_share

UPDATE_BITMAP, UPDATE_PALETTE = 1, 2

DEFAULT_IO_CHANNEL = 1003
MAX_UPDATE = 16 * 1024 * 1024
"""Most bytes of one update put together from fragments."""

_COMPRESSED, _NO_HEADER = 0x0001, 0x0400
_LAST, _FIRST, _NEXT = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Rectangle:
    """TS_BITMAP_DATA (section 2.2.9.1.1.3.1.2.2): `data` decodes to width x height pixels of `bpp` bits, of
    which the part at the upper left goes to `left` .. `right`, `top` .. `bottom`, all inclusive."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int
    bpp: int
    compressed: bool
    data: bytes

    def to_bytes(self) -> bytes:
        """Raises ProtocolError above 65535 bytes of data."""
        if len(self.data) > 0xFFFF:
            raise ProtocolError("rectangle is too large")
        flags = _COMPRESSED | _NO_HEADER if self.compressed else 0
        place = (self.left, self.top, self.right, self.bottom, self.width, self.height)
        fields = (*place, self.bpp, flags, len(self.data))
        return b"".join(value.to_bytes(2, "little") for value in fields) + self.data


@dataclass(frozen=True, slots=True)
class BitmapUpdate:
    """Rectangles to draw in order."""

    rectangles: tuple[Rectangle, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> "BitmapUpdate":
        """From TS_UPDATE_BITMAP_DATA, its update type included."""
        cursor = Cursor(data)
        if cursor.u16() != UPDATE_BITMAP:
            raise ProtocolError("not a bitmap update")
        return cls(tuple(_rectangle(cursor) for _ in range(cursor.u16())))

    def to_bytes(self) -> bytes:
        head = UPDATE_BITMAP.to_bytes(2, "little") + len(self.rectangles).to_bytes(2, "little")
        return head + b"".join(rectangle.to_bytes() for rectangle in self.rectangles)


@dataclass(frozen=True, slots=True)
class PaletteUpdate:
    """The 256 colours of an 8 bpp session: red, green, blue of each, one after the other."""

    colours: bytes


@dataclass(frozen=True, slots=True)
class DesktopSize:
    """The host (re)starts drawing on a desktop of this many pixels."""

    width: int
    height: int


Update = BitmapUpdate | PaletteUpdate | DesktopSize


def _rectangle(cursor: Cursor) -> Rectangle:
    left, top, right, bottom, width, height, bpp, flags, length = (cursor.u16() for _ in range(9))
    data = cursor.take(length)
    compressed = bool(flags & _COMPRESSED)
    if compressed and not flags & _NO_HEADER:
        if len(data) < 8:
            raise ProtocolError("compressed rectangle without its header")
        data = data[8:]
    return Rectangle(left, top, right, bottom, width, height, bpp, compressed, data)


def _palette(data: bytes) -> PaletteUpdate:
    cursor = Cursor(data, 4)
    if cursor.u32() != 256:
        raise ProtocolError("palette has not 256 colours")
    return PaletteUpdate(cursor.take(768))


class UpdateReader:
    """Reads a recorded or live stream from the connection's begin, or from any PDU's begin, in pieces of
    any size. Skips what draws nothing. Raises ProtocolError for a broken stream."""

    def __init__(self, *, io_channel: int = DEFAULT_IO_CHANNEL) -> None:
        self._io_channel = io_channel
        self._reader = PduReader()
        self._fragments = bytearray()
        self._fragmented: int | None = None

    def feed(self, data: bytes) -> list[Update]:
        """The updates that `data` completes, in order."""
        return [update for pdu in self._reader.feed(data) for update in self.read(pdu)]

    def read(self, pdu: bytes) -> list[Update]:
        """The updates in one whole PDU."""
        if pdu[0] != 3:
            return self._fast_path(pdu)
        if len(pdu) < 8 or pdu[4:7] != mcs.X224_DATA:
            return []
        kind = mcs.choice(pdu)
        if kind == mcs.CONNECT:
            net = find_block(ConnectResponse.from_bytes(pdu).blocks, SC_NET)
            if net is not None:
                self._io_channel = server_channels(net)[0]
            return []
        return self._slow_path(SendData.from_bytes(pdu)) if kind == mcs.SEND_INDICATION else []

    def _slow_path(self, sent: SendData) -> list[Update]:
        if sent.channel != self._io_channel or share.is_license(sent.payload):
            return []
        updates: list[Update] = []
        for control in parse_share(sent.payload):
            if control.type == share.DEMAND_ACTIVE:
                size = desktop_size(DemandActive.from_body(control.body).capabilities)
                updates += [DesktopSize(*size)] if size else []
            elif control.type == share.DATA:
                data = ShareData.from_body(control.body)
                if data.type == share.UPDATE:
                    updates += _update(Cursor(data.data).u16(), data.data, data.compression)
        return updates

    def _fast_path(self, pdu: bytes) -> list[Update]:
        cursor = Cursor(pdu, fast_path_header(pdu))
        updates: list[Update] = []
        while cursor.remaining:
            head = cursor.u8()
            code, fragmentation = head & 0xF, head >> 4 & 3
            compression = cursor.u8() if head >> 6 == 2 else 0
            data: bytes | None = cursor.take(cursor.u16())
            if fragmentation:
                data = self._defragment(code, fragmentation, data or b"")
            if data is not None:
                updates += _update(code, data, compression)
        return updates

    def _defragment(self, code: int, fragmentation: int, data: bytes) -> bytes | None:
        """The whole update when `data` is its last fragment."""
        if fragmentation == _FIRST:
            self._fragments.clear()
            self._fragmented = code
        elif self._fragmented != code:
            raise ProtocolError("update fragment without a first one")
        if len(self._fragments) + len(data) > MAX_UPDATE:
            raise ProtocolError("update is too large")
        self._fragments += data
        if fragmentation != _LAST:
            return None
        self._fragmented = None
        whole = bytes(self._fragments)
        self._fragments.clear()
        return whole


def _update(code: int, data: bytes, compression: int) -> list[Update]:
    if code not in (UPDATE_BITMAP, UPDATE_PALETTE):
        return []
    if compression & 0x20:
        raise ProtocolError("update is compressed, though compression was not agreed on")
    return [BitmapUpdate.from_bytes(data) if code == UPDATE_BITMAP else _palette(data)]


def slow_path_update(update: BitmapUpdate, *, share_id: int, io_channel: int = DEFAULT_IO_CHANNEL) -> bytes:
    """`update` as a slow-path PDU from server to client. Raises ProtocolError above 16 KiB."""
    body = ShareData(share_id, share.UPDATE, update.to_bytes()).to_body()
    control = share.ShareControl(share.DATA, io_channel, body)
    return SendData(1, io_channel, control.to_bytes(), indication=True).to_bytes()


def fast_path_update(update: BitmapUpdate) -> bytes:
    """`update` as a fast-path PDU from server to client. Raises ProtocolError above 32 KiB."""
    data = update.to_bytes()
    length = len(data) + 6
    if length > 0x7FFF:
        raise ProtocolError("update does not fit in a fast-path PDU")
    return b"\0" + (0x8000 | length).to_bytes(2, "big") + b"\x01" + len(data).to_bytes(2, "little") + data
