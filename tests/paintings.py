"""A desktop made for tests: rectangles of one colour, painted one after the other."""

from lucid.drivers.rdp.recording import Recording
from lucid.model.frame import Direction, Frame
from lucid.wire.rdp.updates import BitmapUpdate, Rectangle, fast_path_update

WIDTH, HEIGHT = 800, 600


def picture(colour: int, x: int, y: int) -> bytes:
    """One PDU that paints a 64 x 32 rectangle."""
    pixels = bytes((colour, 255 - colour, 128, 0)) * (64 * 32)
    return fast_path_update(BitmapUpdate((Rectangle(x, y, x + 63, y + 31, 64, 32, 32, False, pixels),)))


def paintings(count: int, interval_ms: int = 10) -> Recording:
    """`count` rectangles, one each `interval_ms`."""
    frames = (
        Frame(n * interval_ms * 1000, Direction.SERVER_TO_CLIENT, picture(n % 256, n * 64 % 768, n * 32 % 576))
        for n in range(count)
    )
    return Recording(WIDTH, HEIGHT, tuple(frames))
