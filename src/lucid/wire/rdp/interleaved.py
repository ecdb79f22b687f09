"""Interleaved run-length coded bitmaps, 8 to 24 bits a pixel (sections 2.2.9.1.1.3.1.2.4 and 3.1.9)."""

from functools import cache

from lucid.wire.rdp.pdu import Cursor, ProtocolError

_BG_RUN, _FG_RUN, _FGBG, _COLOUR_RUN, _COLOUR_IMAGE = range(5)
_SET_FG_RUN, _SET_FGBG, _DITHERED = 6, 7, 8
_SPECIAL_FGBG = {0xF9: 0x03, 0xFA: 0x05}
_WHITE, _BLACK = 0xFD, 0xFE


def decompress(data: bytes, width: int, height: int, size: int) -> bytes:
    """Rows of `width` pixels of `size` bytes, from the lowest row up. Raises ProtocolError for malformed
    data and for data that does not give exactly width x height pixels."""
    return _Decoder(data, width * size, width * height * size, size).run()


@cache
def _masks(size: int) -> list[bytes]:
    """For each byte of a foreground/background image the mask of its eight pixels, lowest bit first."""
    return [b"".join((b"\xff" if byte >> bit & 1 else b"\0") * size for bit in range(8)) for byte in range(256)]


def _xor(one: bytes | bytearray, other: bytes) -> bytes:
    value = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return value.to_bytes(len(one), "little")


class _Decoder:
    """Pixels so far and the foreground pixel. `row` and `total` are in bytes, lengths of runs in pixels."""

    def __init__(self, data: bytes, row: int, total: int, size: int) -> None:
        self._cursor = Cursor(data)
        self._row = row
        self._total = total
        self._size = size
        self._foreground = b"\xff" * size
        self._out = bytearray()
        self._first_row = True

    def run(self) -> bytes:
        after_background = False
        while self._cursor.remaining:
            if self._first_row and len(self._out) >= self._row:
                # An order that begins in the first row is coded without a row above to its end.
                self._first_row = after_background = False
            code = self._cursor.u8()
            if code in _SPECIAL_FGBG:
                self._image(bytes((_SPECIAL_FGBG[code],)), 8)
            elif code in (_WHITE, _BLACK):
                self._write((b"\xff" if code == _WHITE else b"\0") * self._size)
            else:
                kind, length = self._order(code)
                self._draw(kind, length, after_background)
                after_background = kind == _BG_RUN
                continue
            after_background = False
        if len(self._out) != self._total:
            raise ProtocolError("bitmap has too few pixels")
        return bytes(self._out)

    def _order(self, code: int) -> tuple[int, int]:
        """Kind and length of the order that `code` begins: in one byte, two, or (0xF0 and up) three."""
        if code >= 0xF0:
            return code & 0xF, self._cursor.u16()
        kind, length, extra = (code >> 4) - 6, code & 0xF, 16
        if code < 0xC0:
            kind, length, extra = code >> 5, code & 0x1F, 32
        if kind in (_FGBG, _SET_FGBG):
            return kind, length * 8 or self._cursor.u8() + 1
        return kind, length or self._cursor.u8() + extra

    def _draw(self, kind: int, length: int, after_background: bool) -> None:
        size, cursor = self._size, self._cursor
        if kind == _BG_RUN:
            if after_background and length:
                # Two background runs in a row stand for one foreground pixel between them.
                self._over(self._foreground)
                length -= 1
            self._over(bytes(length * size) if self._room(length) else b"")
        elif kind in (_FG_RUN, _SET_FG_RUN):
            if kind == _SET_FG_RUN:
                self._foreground = cursor.take(size)
            self._over(self._foreground * length if self._room(length) else b"")
        elif kind in (_FGBG, _SET_FGBG):
            if kind == _SET_FGBG:
                self._foreground = cursor.take(size)
            self._image(cursor.take((length + 7) // 8), length)
        elif kind == _COLOUR_RUN:
            self._write(cursor.take(size) * (length if self._room(length) else 0))
        elif kind == _COLOUR_IMAGE:
            self._write(cursor.take(length * size))
        elif kind == _DITHERED:
            self._write(cursor.take(2 * size) * (length if self._room(2 * length) else 0))
        else:
            raise ProtocolError("unknown order in a bitmap")

    def _room(self, length: int) -> bool:
        """Checked before pixels are made. Raises ProtocolError when `length` more would be too many."""
        if len(self._out) + length * self._size > self._total:
            raise ProtocolError("bitmap has too many pixels")
        return True

    def _write(self, pixels: bytes) -> None:
        self._room(len(pixels) // self._size)
        self._out += pixels

    def _image(self, bits: bytes, length: int) -> None:
        """The foreground where a bit is set, else the background."""
        self._room(length)
        table = _masks(self._size)
        mask = b"".join([table[byte] for byte in bits])[: length * self._size]
        chosen = int.from_bytes(mask, "little") & int.from_bytes(self._foreground * length, "little")
        self._over(chosen.to_bytes(len(mask), "little"))

    def _over(self, pixels: bytes) -> None:
        """Draw `pixels` combined with the row above, which a run may be longer than."""
        if self._first_row:
            self._write(pixels)
            return
        self._room(len(pixels) // self._size)
        row, out = self._row, self._out
        for at in range(0, len(pixels), row):
            part = pixels[at : at + row]
            start = len(out) - row
            out += _xor(out[start : start + len(part)], part)
