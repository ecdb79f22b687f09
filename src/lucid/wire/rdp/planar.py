"""RDP 6.0 planar bitmaps, 32 bits a pixel (MS-RDPEGDI sections 2.2.2.5.1 and 3.1.9.2)."""

from lucid.wire.rdp.pdu import Cursor, ProtocolError

_COLOUR_LOSS, _SUBSAMPLED, _RLE, _NO_ALPHA = 0x07, 0x08, 0x10, 0x20

_DELTA = bytes((-(b + 1 >> 1) if b & 1 else b >> 1) & 0xFF for b in range(256))
"""What a stored byte of a second or later row adds to the pixel above: the sign is in the lowest bit."""


def decompress_planar(data: bytes, width: int, height: int) -> tuple[bytes, bytes, bytes]:
    """Red, green and blue planes, rows from the top. Raises ProtocolError for colour loss and chroma
    subsampling, which the gateway keeps clients from offering, and for malformed data."""
    cursor = Cursor(data)
    header = cursor.u8()
    if header & (_COLOUR_LOSS | _SUBSAMPLED):
        raise ProtocolError("planar bitmap with colour loss")
    read = _plane if header & _RLE else _raw_plane
    if not header & _NO_ALPHA:
        read(cursor, width, height)
    return tuple(read(cursor, width, height) for _ in range(3))  # type: ignore[return-value]


def _flip(rows: list[bytes]) -> bytes:
    rows.reverse()
    return b"".join(rows)


def _raw_plane(cursor: Cursor, width: int, height: int) -> bytes:
    return _flip([cursor.take(width) for _ in range(height)])


def _plane(cursor: Cursor, width: int, height: int) -> bytes:
    """One run-length coded plane: the first row as it is, each other row as what it adds to the last."""
    low = int.from_bytes(b"\x7f" * width, "little")
    high = int.from_bytes(b"\x80" * width, "little")
    row = _row(cursor, width)
    rows = [row]
    nothing = bytes(width)
    above = int.from_bytes(row, "little")
    for _ in range(height - 1):
        coded = _row(cursor, width)
        if coded != nothing:
            # Adds all bytes at once, modulo 256 each: the upper bit of each byte takes no carry further.
            delta = int.from_bytes(coded.translate(_DELTA), "little")
            above = ((above & low) + (delta & low)) ^ ((above ^ delta) & high)
            row = above.to_bytes(width, "little")
        rows.append(row)
    return _flip(rows)


def _row(cursor: Cursor, width: int) -> bytes:
    """The decoded segments of one row: raw bytes, then a run of the last of them."""
    row = bytearray()
    while len(row) < width:
        control = cursor.u8()
        run, raw = control & 0xF, control >> 4
        if run == 1:
            run, raw = 16 + raw, 0
        elif run == 2:
            run, raw = 32 + raw, 0
        row += cursor.take(raw)
        if run:
            row += (row[-1:] or b"\0") * run
        elif not raw:
            raise ProtocolError("empty segment of a planar bitmap")
    if len(row) != width:
        raise ProtocolError("planar segment crosses a row's end")
    return bytes(row)
