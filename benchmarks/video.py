"""Recording the protocol, against recording the same desktop as video with ffmpeg (x11grab, libx264): as ffmpeg comes
(preset medium, 29.97 frames a second), and as cheap as libx264 gets (preset ultrafast, 15 frames a second).

ffmpeg grabs an Xvfb with the windows that xrdp showed when the traffic was recorded; what the X server spends on
that is not counted. Recording costs what the gateway's CPU for that traffic at its own pace rises by, and the CPU
of sealing it. All of it runs in turn; figures are medians over the rounds.
"""

import asyncio
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks import sealing
from benchmarks.desktop import HEIGHT, WIDTH, write_activity
from benchmarks.gateway import Way, measure
from benchmarks.gateway_process import gateway
from benchmarks.load import child, clients, host
from benchmarks.report import Row, at_most
from benchmarks.traffic import SECONDS, WORK, segments, traffic
from lucid.base.logging import configure_logging
from tests.real.rdp_client import Display, running_display
from tests.real.xrdp_host import child as command

ROUNDS = 3
PIECE_S = 8.0
_SETTLE_S = 3.0

VIDEOS = {
    "video": (("-framerate", "ntsc"), ("-preset", "medium")),
    "cheapest video": (("-framerate", "15"), ("-preset", "ultrafast")),
}
"""Options of grabbing and of encoding. Those of the first are ffmpeg's defaults."""


def run() -> list[Row]:
    """Needs ffmpeg and Xvfb (`scripts/setup bench-packages`). CPU is in milliseconds a second of the session."""
    configure_logging(json=False, level="WARNING")
    megabytes_s = len(traffic()) / SECONDS / 1e6
    with tempfile.TemporaryDirectory(dir=WORK) as name, ExitStack() as stack:
        folder = Path(name)
        target, sink = stack.enter_context(child(host)), stack.enter_context(child(clients))
        port = target.ask("port")
        ways = {}
        for name, recording in (("recording", True), ("relay", False)):
            between = stack.enter_context(child(gateway, port, folder / name, recording))
            ways[name] = Way(between.ask("port"), psutil.Process(between.process.pid))
        pdus = target.ask("load", "as_recorded", PIECE_S)
        display = stack.enter_context(_desktop(folder))
        spent: dict[str, list[float]] = {name: [] for name in ("recording", "relay", *VIDEOS, "sealing")}
        for number in range(ROUNDS):
            for name, way in ways.items():
                spent[name].append(measure(target, sink, way, pdus, 1, PIECE_S).cpu)
            for name, options in VIDEOS.items():
                spent[name].append(_video(display, options, folder / f"{name}.mp4"))
            spent["sealing"].append(asyncio.run(_sealing(folder / str(number))))
        sizes = {name: (folder / f"{name}.mp4").stat().st_size / PIECE_S / 1e6 for name in VIDEOS}
    cpu = {what: statistics.median(rounds) for what, rounds in spent.items()}
    ours = cpu["recording"] - cpu["relay"] + cpu["sealing"]
    return [
        Row("a session's plaintext at 32 bits a pixel", f"{megabytes_s:.1f} MB/s"),
        at_most("CPU of recording and sealing against ffmpeg", ours / cpu["video"], 0.1, " x"),
        at_most("the same against its cheapest (ultrafast, 15 a second)", ours / cpu["cheapest video"], 0.1, " x"),
        Row("CPU in ms a second", ", ".join(f"{what} {cpu[what]:.3g}" for what in cpu)),
        Row("CPU of recording against the same relay without it", f"{cpu['recording'] / cpu['relay']:.3g} x"),
        Row("bytes of the videos", ", ".join(f"{sizes[name]:.2f} MB/s" for name in VIDEOS)),
    ]


@contextmanager
def _desktop(folder: Path) -> Iterator[Display]:
    """An X server with the activity on it."""
    with running_display(folder, WIDTH, HEIGHT) as display:
        start = ["sh", "-c", f"xsetroot -solid '#204060'; {write_activity(folder)} exec openbox"]
        with command(start, folder / "desktop.out", display.environment):
            time.sleep(_SETTLE_S)
            yield display


def _video(display: Display, options: tuple[tuple[str, ...], tuple[str, ...]], path: Path) -> float:
    """CPU of recording the display for a while."""
    grab = ["-f", "x11grab", *options[0], "-video_size", f"{WIDTH}x{HEIGHT}", "-i", display.name]
    encode = ["-t", str(PIECE_S), "-c:v", "libx264", *options[1], "-pix_fmt", "yuv420p", str(path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *grab, *encode], env=display.environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used_s * 1e3 / PIECE_S


async def _sealing(folder: Path) -> float:
    """CPU of turning the closed journal of the whole traffic into chunks."""
    data = segments()
    recorder, session, identity = await sealing.journal(data, folder / "journal")
    before = time.process_time()
    await sealing.seal_journal(recorder, session, identity, len(data), folder / "chunks")
    used_s = time.process_time() - before
    await recorder.release(session=session)
    await recorder.stop()
    return used_s * 1e3 / SECONDS
