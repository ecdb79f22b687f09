"""A desktop whose pictures carry numbers, a viewer that notes when it saw which, and what of them is recorded."""

import re
import time
from collections.abc import Iterable

from lucid.base.secret import Secret
from lucid.drivers.rdp.recording import Recording
from lucid.model.frame import Direction, Frame
from lucid.runtime.export import Export
from lucid.runtime.picture import recorded_frames
from lucid.wire.rdp.updates import BitmapUpdate, Rectangle, Update, fast_path_update

WIDTH, HEIGHT = 800, 600
_MARK = re.compile(rb"<picture (\d{8})>")


def marked_picture(number: int) -> bytes:
    """A PDU that paints 32 x 16 pixels, uncompressed, of which the first spell the number."""
    pixels = f"<picture {number:08d}>".encode().ljust(32 * 16 * 4, b"\x55")
    x, y = number * 32 % 768, number * 16 % 576
    return fast_path_update(BitmapUpdate((Rectangle(x, y, x + 31, y + 15, 32, 16, 32, False, pixels),)))


def marked_pictures(count: int, interval_ms: int = 10) -> Recording:
    """Pictures 0, 1, …, one each `interval_ms`."""
    frames = (Frame(n * interval_ms * 1000, Direction.SERVER_TO_CLIENT, marked_picture(n)) for n in range(count))
    return Recording(WIDTH, HEIGHT, tuple(frames))


def recorded_pictures(export: Export, identity: Secret) -> list[int]:
    """The numbers in an exported recording, in order."""
    return _numbers(
        frame.data for frame in recorded_frames(export, identity) if frame.direction is Direction.SERVER_TO_CLIENT
    )


def _numbers(parts: Iterable[bytes]) -> list[int]:
    return [int(number) for number in _MARK.findall(b"".join(parts))]


class Viewer:
    """Notes the monotonic time at which each picture came in; `note` is an RdpClient's `on_update`."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def note(self, update: Update) -> None:
        now = time.monotonic()
        if isinstance(update, BitmapUpdate):
            for number in _numbers(rectangle.data for rectangle in update.rectangles):
                self.seen.setdefault(number, now)


def lost_s(viewer: Viewer, recorded: list[int], killed: float) -> float:
    """How long before the kill the viewer saw the first picture that the recording lacks; 0 if it lacks none of
    those seen before the kill."""
    have = set(recorded)
    return max((killed - at for number, at in viewer.seen.items() if number not in have), default=0.0)
