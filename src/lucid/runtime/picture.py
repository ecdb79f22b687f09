"""A picture out of a recording: what the client's screen showed at a moment."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.model.bundle import Bundle
from lucid.model.frame import Direction, Frame, decode_frames
from lucid.model.kept import Shares
from lucid.recording.reading import data_key_of, open_chunk
from lucid.runtime.export import Export
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import UpdateReader


def recorded_frames(export: Export, identity: Secret) -> Iterator[Frame]:
    """The frames of an exported session, chunk by chunk. Raises Forbidden, Corrupted, InvalidInput."""
    bundle = Bundle.from_bytes(export.bundle.read_bytes())
    shares = Shares.from_bytes(export.shares.read_bytes()).keys if export.shares.exists() else ()
    data_key = data_key_of(bundle.manifest, identity, shares)
    for chunk in bundle.chunks:
        yield from decode_frames(open_chunk(data_key, (export.chunks / chunk.digest).read_bytes()))


def screen_at(frames: Iterator[Frame], at_us: int | None = None) -> Screen:
    """The screen after all updates up to `at_us` (None: to the end). Raises InvalidInput when nothing was drawn."""
    screen, reader = None, UpdateReader()
    for frame in frames:
        if at_us is not None and frame.time_us > at_us:
            break
        if frame.direction == Direction.EVENT:
            event = json.loads(frame.data)
            if event.get("event") == "start":
                screen = Screen(event["width"], event["height"])
        elif frame.direction == Direction.SERVER_TO_CLIENT and screen is not None:
            for update in reader.feed(frame.data):
                screen.apply(update)
    if screen is None:
        raise InvalidInput("the recording shows no screen up to that moment")
    return screen


def png_of(screen: Screen) -> bytes:
    """The screen as a PNG file."""
    image = Image.frombytes("RGB", (screen.width, screen.height), screen.rgb())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def read_identity(path: Path) -> Secret:
    """The age identity in a file, comments skipped. Raises InvalidInput that names the file."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    keys = [line for line in lines if line.startswith("AGE-SECRET-KEY-1")]
    if len(keys) != 1:
        raise InvalidInput(f"{path}: expected one line AGE-SECRET-KEY-1…")
    return Secret(keys[0])
