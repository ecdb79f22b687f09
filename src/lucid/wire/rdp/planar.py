"""RDP 6.0 planar bitmaps, 32 bits a pixel (MS-RDPEGDI sections 2.2.2.5.1 and 3.1.9.2)."""

from lucid.wire.rdp.pdu import ProtocolError

_COLOUR_LOSS, _SUBSAMPLED, _RLE, _NO_ALPHA = 0x07, 0x08, 0x10, 0x20

_DELTA = bytes((-(b + 1 >> 1) if b & 1 else b >> 1) & 0xFF for b in range(256))
"""What a stored byte of a second or later row adds to the pixel above: the sign is in the lowest bit."""


def _segment(control: int) -> tuple[int, int]:
    run, raw = control & 0xF, control >> 4
    return (0, 16 * run + raw) if run in (1, 2) else (raw, run)


_SEGMENTS = [_segment(control) for control in range(256)]
"""For each control byte: how many raw bytes follow, and how often the last of them is repeated."""


def decompress_planar(data: bytes, width: int, height: int) -> tuple[bytes, bytes, bytes]:
    """Red, green and blue planes, rows from the top. Raises ProtocolError for colour loss and chroma
    subsampling, which the gateway keeps clients from offering, and for malformed data."""
    if not data:
        raise ProtocolError("planar bitmap is cut")
    header = data[0]
    if header & (_COLOUR_LOSS | _SUBSAMPLED):
        raise ProtocolError("planar bitmap with colour loss")
    read = _plane if header & _RLE else _raw_plane
    position = 1
    if not header & _NO_ALPHA:
        _, position = read(data, position, width, height)
    red, position = read(data, position, width, height)
    green, position = read(data, position, width, height)
    blue, _ = read(data, position, width, height)
    return red, green, blue


def _flip(rows: list[bytes]) -> bytes:
    rows.reverse()
    return b"".join(rows)


def _raw_plane(data: bytes, position: int, width: int, height: int) -> tuple[bytes, int]:
    end = position + width * height
    if end > len(data):
        raise ProtocolError("planar bitmap is cut")
    return _flip([data[at : at + width] for at in range(position, end, width)]), end


def _plane(data: bytes, position: int, width: int, height: int) -> tuple[bytes, int]:
    """One run-length coded plane: the first row as it is, each other row as what it adds to the last."""
    low = int.from_bytes(b"\x7f" * width, "little")
    high = int.from_bytes(b"\x80" * width, "little")
    row, position = _row(data, position, width)
    rows = [row]
    nothing = bytes(width)
    above = int.from_bytes(row, "little")
    for _ in range(height - 1):
        coded, position = _row(data, position, width)
        if coded != nothing:
            # Adds all bytes at once, modulo 256 each: the upper bit of each byte takes no carry further.
            delta = int.from_bytes(coded.translate(_DELTA), "little")
            above = ((above & low) + (delta & low)) ^ ((above ^ delta) & high)
            row = above.to_bytes(width, "little")
        rows.append(row)
    return _flip(rows), position


def _row(data: bytes, position: int, width: int) -> tuple[bytes, int]:
    """The decoded segments of one row, each raw bytes and a run, and the position after them."""
    row = bytearray()
    end = len(data)
    while len(row) < width:
        if position >= end:
            raise ProtocolError("planar bitmap is cut")
        raw, run = _SEGMENTS[data[position]]
        position += 1
        if raw:
            row += data[position : position + raw]
            position += raw
        elif not run:
            raise ProtocolError("empty segment of a planar bitmap")
        if run:
            row += (row[-1:] or b"\0") * run
    if len(row) != width or position > end:
        raise ProtocolError("planar segment crosses the end of its row")
    return bytes(row), position
