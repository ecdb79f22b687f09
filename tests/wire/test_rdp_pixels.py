"""Updates and pixels: recorded bitmaps against what libfreerdp2 decodes from them, and hand-made streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lucid.wire.rdp.bitmap import Planes, decode
from lucid.wire.rdp.pdu import ProtocolError, tpkt
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import (
    BitmapUpdate,
    DesktopSize,
    PaletteUpdate,
    Rectangle,
    Update,
    UpdateReader,
    fast_path_update,
    slow_path_update,
)
from tests.wire.session import GOLDEN, golden, refusal

u16 = st.integers(0, 0xFFFF)
rectangles = st.builds(Rectangle, u16, u16, u16, u16, u16, u16, u16, st.booleans(), st.binary(max_size=99))


def _rectangle(bpp: int, width: int, height: int, data: bytes, *, compressed: bool = True) -> Rectangle:
    return Rectangle(0, 0, width - 1, height - 1, width, height, bpp, compressed, data)


def _rows(planes: Planes) -> list[bytes]:
    """The red plane, row by row from the top."""
    return [planes.red[at : at + planes.width] for at in range(0, len(planes.red), planes.width)]


@pytest.mark.parametrize("bpp", [15, 16, 24, 32])
def test_recorded_bitmaps_decode_exactly(bpp: int) -> None:
    """Each golden bitmap is from an xrdp session; the image is libfreerdp2's, its 6-bit green widened as ours."""
    update = BitmapUpdate.from_bytes(golden(f"bitmap_{bpp}"))
    (rectangle,) = update.rectangles
    screen = Screen(rectangle.right + 1, rectangle.bottom + 1)
    screen.apply(update)
    with Image.open(GOLDEN / f"bitmap_{bpp}.png") as image:
        shown = image.crop((0, 0, rectangle.right + 1 - rectangle.left, rectangle.bottom + 1 - rectangle.top))
        whole = Image.new("RGB", (screen.width, screen.height))
        whole.paste(shown, (rectangle.left, rectangle.top))
    assert screen.rgb() == whole.tobytes()
    assert len(set(zip(*[iter(screen.rgb())] * 3, strict=True))) > 10


@pytest.mark.parametrize("bpp", [15, 16, 24, 32])
def test_broken_bitmaps_raise_nothing_else(bpp: int) -> None:
    whole = golden(f"bitmap_{bpp}")
    for at in range(min(len(whole), 600)):
        for broken in (whole[:at], whole[:at] + bytes((whole[at] ^ 1 << at % 8,)) + whole[at + 1 :]):
            assert "\n" not in refusal(lambda data: Screen(64, 64).apply(BitmapUpdate.from_bytes(data)), broken)


@given(st.sampled_from([8, 15, 16, 24, 32]), st.integers(1, 40), st.integers(1, 9), st.booleans(), st.binary())
def test_random_bitmaps_raise_nothing_else(bpp: int, width: int, height: int, compressed: bool, data: bytes) -> None:
    refusal(lambda: decode(_rectangle(bpp, width, height, data, compressed=compressed)))


def test_a_tiny_bitmap_cannot_ask_for_much_memory() -> None:
    for bpp in (8, 24, 32):
        with pytest.raises(ProtocolError):
            decode(_rectangle(bpp, 65_535, 65_535, b"\xf0\xff\xff"))
        with pytest.raises(ProtocolError):
            decode(_rectangle(bpp, 4000, 4000, b"\xf3\xff\xff\x01\x02\x03"))
    with pytest.raises(ProtocolError):
        Screen(20_000, 20_000)
    with pytest.raises(ProtocolError):
        Screen(100, 100).apply(BitmapUpdate((_rectangle(32, 5000, 5000, b""),)))


def test_interleaved_orders_at_8_bits() -> None:
    """MS-RDPBCGR 3.1.9: each order once, the lowest row first; expected values worked out by hand."""
    width = 10
    orders = b"".join(
        (
            b"\x63\x07\x83\x01\x02\x03\xc4\x05",  # 3 x 7; 1 2 3; foreground 5, 4 times: the first row
            b"\x0a",  # background run: the row below again
            b"\x2a",  # foreground run: xor 5
            b"\xd1\x04\x81\x02",  # foreground 4, image of bits 0 and 7; then background run of 2
            b"\xe2\x09\x08\xfd\xfe\x64\x06",  # 9 8 9 8; white; black; 4 x 6
            b"\xf9\x22",  # bits 0 and 1; foreground run of 2
        )
    )
    palette = bytes(value for index in range(256) for value in (index, 0, 0))
    rows = _rows(decode(_rectangle(8, width, 6, orders), palette))[::-1]
    first = bytes((7, 7, 7, 1, 2, 3, 5, 5, 5, 5))
    third = bytes(value ^ 5 for value in first)
    assert rows[0] == rows[1] == first
    assert rows[2] == third
    assert rows[3] == bytes(v ^ (4 if i in (0, 7) else 0) for i, v in enumerate(third))
    assert rows[4] == bytes((9, 8, 9, 8, 255, 0, 6, 6, 6, 6))
    assert rows[5] == bytes(v ^ (4 if i in (0, 1, 8, 9) else 0) for i, v in enumerate(rows[4]))


def test_two_background_runs_stand_for_a_foreground_pixel_between() -> None:
    palette = bytes(value for index in range(256) for value in (index, 0, 0))
    data = b"\xc4\x03" + b"\x02\x02"  # first row: 3 3 3 3; then 2 background, 1 foreground, 1 background
    assert _rows(decode(_rectangle(8, 4, 2, data), palette)) == [bytes((3, 3, 0, 3)), bytes((3, 3, 3, 3))]


def test_planar_deltas_wrap() -> None:
    """MS-RDPEGDI 3.1.9.2.1: the second row adds 1, -1, and nothing to the first, modulo 256."""
    plane = b"\x30\xff\x00\x80" + b"\x30\x02\x01\x00"
    planes = decode(_rectangle(32, 3, 2, b"\x30" + plane * 3))
    assert _rows(planes) == [bytes((0, 255, 128)), bytes((255, 0, 128))]
    assert planes.red == planes.green == planes.blue


def test_planar_without_runs_and_with_alpha() -> None:
    planes = decode(_rectangle(32, 2, 2, b"\x00" + bytes(4) + bytes(range(12)) + b"\0"))
    assert (planes.red, planes.green, planes.blue) == (b"\x02\x03\x00\x01", b"\x06\x07\x04\x05", b"\x0a\x0b\x08\x09")


def test_colour_loss_is_refused() -> None:
    with pytest.raises(ProtocolError, match="colour loss"):
        decode(_rectangle(32, 2, 2, b"\x01" + bytes(16)))


@pytest.mark.parametrize(
    ("bpp", "white", "blue"),
    [(15, b"\xff\x7f", b"\x1f\0"), (16, b"\xff\xff", b"\x1f\0"), (24, b"\xff" * 3, b"\xff\0\0")],
)
def test_uncompressed_rows_may_be_padded(bpp: int, white: bytes, blue: bytes) -> None:
    pad = bytes(-3 * len(white) % 4)
    for filler in (pad, b""):
        data = white * 3 + filler + blue * 3 + filler
        planes = decode(_rectangle(bpp, 3, 2, data, compressed=False))
        assert (planes.red, planes.blue) == (bytes(3) + b"\xff" * 3, b"\xff" * 6)


def test_the_screen_crops_to_the_rectangle_and_to_itself() -> None:
    screen = Screen(4, 3)
    white = Rectangle(3, 1, 4, 1, 4, 4, 32, False, b"\xff" * 64)
    screen.apply(BitmapUpdate((white,)))
    expected = bytearray(36)
    expected[21:24] = b"\xff\xff\xff"
    assert screen.rgb() == bytes(expected)
    screen.apply(BitmapUpdate((Rectangle(9, 9, 3, 3, 4, 4, 32, False, b"\xff" * 64),)))
    assert screen.rgb() == bytes(expected)
    screen.apply(DesktopSize(4, 3))
    assert screen.rgb() == bytes(expected)
    screen.apply(DesktopSize(2, 2))
    assert screen.rgb() == bytes(12)


def test_palette() -> None:
    screen = Screen(2, 1)
    screen.apply(PaletteUpdate(bytes(range(256)) * 3))
    screen.apply(BitmapUpdate((_rectangle(8, 2, 1, b"\x00\x01", compressed=False),)))
    assert screen.rgb() == bytes((0, 1, 2, 3, 4, 5))


@given(st.lists(rectangles, max_size=5).map(lambda r: BitmapUpdate(tuple(r))))
def test_updates_round_trip(update: BitmapUpdate) -> None:
    assert BitmapUpdate.from_bytes(update.to_bytes()) == update
    assert UpdateReader().feed(fast_path_update(update)) == [update]
    assert UpdateReader().feed(slow_path_update(update, share_id=1)) == [update]


def test_a_recorded_stream_byte_by_byte() -> None:
    names = ("connect_response", "demand_active", "font_map", "bitmap_update", "pointer_fast_path", "bitmap_update")
    stream = b"".join(golden(f"xrdp_{name}") for name in names)
    whole = UpdateReader().feed(stream)
    assert [type(update) for update in whole] == [DesktopSize, BitmapUpdate, BitmapUpdate]
    assert whole[0] == DesktopSize(1280, 720)
    reader = UpdateReader()
    assert [update for byte in stream for update in reader.feed(bytes((byte,)))] == whole


def _fast_path(fragmentation: int, data: bytes, code: int = 1) -> bytes:
    body = bytes((code | fragmentation << 4,)) + len(data).to_bytes(2, "little") + data
    return b"\0" + (0x8000 | len(body) + 3).to_bytes(2, "big") + body


def test_fragments_are_put_together() -> None:
    update = BitmapUpdate((_rectangle(32, 2, 2, bytes(16), compressed=False),))
    data = update.to_bytes()
    stream = _fast_path(2, data[:5]) + _fast_path(3, data[5:9]) + _fast_path(1, data[9:])
    found: list[Update] = UpdateReader().feed(stream)
    assert found == [update]
    with pytest.raises(ProtocolError, match="first"):
        UpdateReader().feed(_fast_path(3, data))


def test_endless_fragments_are_refused() -> None:
    reader = UpdateReader()
    reader.feed(_fast_path(2, bytes(32_000)))
    details = [refusal(reader.feed, _fast_path(3, bytes(32_000))) for _ in range(600)]
    assert details[0] == ""
    assert "large" in details[-1]


def test_compressed_updates_are_refused() -> None:
    with pytest.raises(ProtocolError, match="compressed"):
        UpdateReader().feed(b"\0\x0a\x81\x20\x04\0" + bytes(4))


def test_pdus_that_draw_nothing_are_skipped() -> None:
    assert UpdateReader().feed(tpkt(b"\x0e\xd0\0\0\x12\x34\0" + bytes(8)) + golden("xrdp_license_request")) == []
