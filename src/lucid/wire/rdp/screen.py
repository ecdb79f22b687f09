"""A framebuffer that updates are drawn on."""

from lucid.wire.rdp.bitmap import MAX_PIXELS, Planes, decode
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.updates import BitmapUpdate, DesktopSize, PaletteUpdate, Rectangle, Update

MAX_SIDE = 8192
"""Most pixels of a screen's side (section 2.2.7.1.2 allows 8192)."""

_PADDING = 64
"""How far a rectangle's bitmap may go beyond the screen: hosts pad widths, xrdp to 4, others to tiles."""


class Screen:
    """A screen of `width` x `height` pixels, black at first. Raises ProtocolError above 8192 a side
    or 32 Mi pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._palette = bytes(768)
        self._resize(width, height)

    @property
    def width(self) -> int:
        return self._width

    @property
    def height(self) -> int:
        return self._height

    def _resize(self, width: int, height: int) -> None:
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
            raise ProtocolError(f"a screen of {width} x {height}")
        self._width, self._height = width, height
        self._planes = tuple(bytearray(width * height) for _ in range(3))

    def apply(self, update: Update) -> None:
        """Draw. Raises ProtocolError for a bitmap that does not decode; rectangles before it are drawn."""
        match update:
            case BitmapUpdate(rectangles):
                for rectangle in rectangles:
                    self._draw(rectangle)
            case PaletteUpdate(colours):
                self._palette = colours
            case DesktopSize(width, height):
                if (width, height) != (self._width, self._height):
                    self._resize(width, height)

    def _draw(self, rectangle: Rectangle) -> None:
        if rectangle.width > self._width + _PADDING or rectangle.height > self._height + _PADDING:
            raise ProtocolError("bitmap is larger than the screen")
        bitmap = decode(rectangle, self._palette)
        left, top = rectangle.left, rectangle.top
        width = min(rectangle.right + 1 - left, bitmap.width, self._width - left)
        height = min(rectangle.bottom + 1 - top, bitmap.height, self._height - top)
        if width > 0 and height > 0:
            self._blit(bitmap, left, top, width, height)

    def _blit(self, bitmap: Planes, left: int, top: int, width: int, height: int) -> None:
        step, stride = bitmap.width, self._width
        for plane, source in zip(self._planes, (bitmap.red, bitmap.green, bitmap.blue), strict=True):
            at, position = top * stride + left, 0
            for _ in range(height):
                plane[at : at + width] = source[position : position + width]
                at += stride
                position += step

    def rgb(self) -> bytes:
        """All pixels, row by row from the top, three bytes each: red, green, blue."""
        pixels = bytearray(3 * self._width * self._height)
        pixels[0::3], pixels[1::3], pixels[2::3] = self._planes
        return bytes(pixels)
