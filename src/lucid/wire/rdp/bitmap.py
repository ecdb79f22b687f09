"""Pixels of bitmap updates, as one plane of bytes a colour, so that whole runs and rows move at once.

Formats: uncompressed and interleaved RLE (MS-RDPBCGR 2.2.9.1.1.3.1.2), RDP 6.0 planar (MS-RDPEGDI 2.2.2.5).
"""

from dataclasses import dataclass

from lucid.wire.rdp.interleaved import decompress
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.planar import decompress_planar
from lucid.wire.rdp.updates import Rectangle

MAX_PIXELS = 1 << 25
"""Most pixels of one bitmap or screen: above 7680 x 4320."""

_BYTES = {8: 1, 15: 2, 16: 2, 24: 3, 32: 4}


@dataclass(frozen=True, slots=True)
class Planes:
    """width x height bytes of each colour, rows from the top."""

    width: int
    height: int
    red: bytes
    green: bytes
    blue: bytes


def decode(rectangle: Rectangle, palette: bytes = bytes(768)) -> Planes:
    """The bitmap of `rectangle`. `palette`: 256 times red, green, blue, used at 8 bpp. Raises ProtocolError
    for an unknown depth and for data that is cut, too long or malformed."""
    width, height, bpp = rectangle.width, rectangle.height, rectangle.bpp
    if bpp not in _BYTES:
        raise ProtocolError(f"bitmap of {bpp} bits a pixel")
    if width * height > MAX_PIXELS:
        raise ProtocolError("bitmap is too large")
    if width * height == 0:
        return Planes(width, height, b"", b"", b"")
    if rectangle.compressed and bpp == 32:
        return Planes(width, height, *decompress_planar(rectangle.data, width, height))
    if rectangle.compressed:
        pixels = decompress(rectangle.data, width, height, _BYTES[bpp])
    else:
        pixels = _unpad(rectangle.data, width * _BYTES[bpp], height)
    pixels = _flip(pixels, width * _BYTES[bpp])
    return Planes(width, height, *_split(pixels, bpp, palette))


def _unpad(data: bytes, row: int, height: int) -> bytes:
    """Rows without what fills them to a multiple of four bytes. Some hosts do not fill."""
    padded = row + 3 & ~3
    if len(data) == row * height:
        return data
    if len(data) != padded * height:
        raise ProtocolError("uncompressed bitmap has not its size")
    return b"".join(data[at : at + row] for at in range(0, len(data), padded))


def _flip(data: bytes, row: int) -> bytes:
    """Bitmaps are stored from the lowest row up."""
    return b"".join(data[at : at + row] for at in range(len(data) - row, -1, -row))


def _scale(bits: int, shift: int) -> bytes:
    """Translation table: the `bits` bits above `shift` of a byte, widened to eight by repeating the upper ones."""
    mask = (1 << bits) - 1
    return bytes((v << (8 - bits)) | (v >> (2 * bits - 8)) for v in ((b >> shift) & mask for b in range(256)))


_RED_565, _RED_555, _BLUE = _scale(5, 3), _scale(5, 2), _scale(5, 0)
_GREEN_6 = _scale(6, 2)
_GREEN_5 = _scale(5, 3)
_HIGH_565 = bytes((b & 7) << 5 for b in range(256))
_LOW_565 = bytes((b >> 5) << 2 for b in range(256))
_HIGH_555 = bytes((b & 3) << 6 for b in range(256))
_LOW_555 = bytes((b >> 5) << 3 for b in range(256))


def _or(one: bytes, other: bytes) -> bytes:
    value = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return value.to_bytes(len(one), "little")


def _split(pixels: bytes, bpp: int, palette: bytes) -> tuple[bytes, bytes, bytes]:
    """Red, green and blue planes of packed pixels."""
    if bpp == 8:
        red, green, blue = (pixels.translate(palette[c::3]) for c in range(3))
        return red, green, blue
    if bpp in (24, 32):
        step = bpp // 8
        return pixels[2::step], pixels[1::step], pixels[0::step]
    low, high = pixels[0::2], pixels[1::2]
    if bpp == 16:
        green = _or(high.translate(_HIGH_565), low.translate(_LOW_565)).translate(_GREEN_6)
        return high.translate(_RED_565), green, low.translate(_BLUE)
    green = _or(high.translate(_HIGH_555), low.translate(_LOW_555)).translate(_GREEN_5)
    return high.translate(_RED_555), green, low.translate(_BLUE)
