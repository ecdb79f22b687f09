"""Makes src/lucid/drivers/rdp/demo.lucidrec anew: a few seconds of a real xrdp desktop.

Run it as root from the repository, with the packages of `make test` installed:
    .venv/bin/python -m scripts.make_demo_recording [FILE.png]
The optional picture shows the last moment. What the desktop plays is in scripts/demo_desktop.sh.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from lucid.base.secret import Secret
from lucid.drivers.rdp import DEMO
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.recording import Recording
from lucid.model.frame import Direction, Frame
from lucid.wire.rdp.updates import BitmapUpdate, Update, fast_path_update
from tests.real.xrdp_host import XrdpHost, running_xrdp

WIDTH, HEIGHT = 800, 600
SECONDS = 10.0
LOGIN_S = 2.5
"""What is drawn before this moment is taken as the first picture: xrdp's own login screen is left out."""

CLOCK_TITLE = (690, 22)
"""Where the clock's window can be taken by its title."""


async def drag(client: RdpClient, start: tuple[int, int], steps: list[tuple[int, int]]) -> None:
    await client.pointer(*start)
    await client.pointer(*start, button="left", down=True)
    for x, y in steps:
        await asyncio.sleep(0.04)
        await client.pointer(x, y)
    await client.pointer(*steps[-1], button="left")


async def record(host: XrdpHost) -> tuple[Recording, bytes]:
    """Log on, watch, move a window; the recording and its last picture (RGB)."""
    frames: list[Frame] = []
    began = time.monotonic()

    def keep(update: Update) -> None:
        if isinstance(update, BitmapUpdate):
            time_us = max(0, int((time.monotonic() - began - LOGIN_S) * 1e6))
            frames.append(Frame(time_us, Direction.SERVER_TO_CLIENT, fast_path_update(update)))

    async with await RdpClient.connect(
        host.address,
        host.port,
        username=host.username,
        password=Secret(host.password),
        width=WIDTH,
        height=HEIGHT,
        draw=True,
        on_update=keep,
    ) as client:
        await asyncio.sleep(SECONDS * 0.55)
        x, y = CLOCK_TITLE
        await drag(client, CLOCK_TITLE, [(x - n, y + 11 * n) for n in range(1, 31)])
        await asyncio.sleep(SECONDS * 0.45)
        assert client.screen is not None
        return Recording(WIDTH, HEIGHT, tuple(frames)), client.screen.rgb()


def main() -> None:
    startup = Path(__file__).with_name("demo_desktop.sh").read_text()
    with tempfile.TemporaryDirectory() as folder, running_xrdp(Path(folder), startup) as host:
        recording, rgb = asyncio.run(record(host))
    data = recording.to_bytes()
    DEMO.write_bytes(data)
    summary = f"{DEMO.name}: {len(recording.frames)} updates, {recording.duration_s:.1f} s, {len(data):,} bytes"
    sys.stdout.write(summary + "\n")
    if len(sys.argv) > 1:
        Image.frombytes("RGB", (WIDTH, HEIGHT), rgb).save(sys.argv[1])


if __name__ == "__main__":
    main()
