"""A real client: FreeRDP under Xvfb, what its screen shows, and what went over the wire."""

import contextlib
import io
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.real.xrdp_host import child, wait_for

XFREERDP = shutil.which("xfreerdp") or "xfreerdp3"
"""FreeRDP 2, or 3 under the name that Debian gives it."""


@dataclass(frozen=True)
class Display:
    """An X server without a screen. `name` is what DISPLAY is set to."""

    name: str
    authority: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.name, "XAUTHORITY": str(self.authority)}


@contextlib.contextmanager
def running_display(folder: Path, width: int, height: int) -> Iterator[Display]:
    """Start Xvfb on a display number of its own choice, open to this process alone."""
    authority = folder / "Xauthority"
    cookie = secrets.token_hex(16)
    read_end, write_end = os.pipe()
    # The server takes its cookie from a file that must name a display; any number does for the server itself.
    subprocess.run(["xauth", "-f", str(authority), "add", ":0", ".", cookie], check=True, capture_output=True)
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    with (folder / "xvfb.out").open("wb") as output:
        server = subprocess.Popen(
            [*command, "-auth", str(authority)], pass_fds=[write_end], stdout=output, stderr=output
        )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as reader:
            name = f":{int(reader.readline())}"
        subprocess.run(["xauth", "-f", str(authority), "add", name, ".", cookie], check=True, capture_output=True)
        yield Display(name, authority)
    finally:
        server.terminate()
        server.wait(5)


@dataclass(frozen=True)
class FreeRdp:
    """A running xfreerdp; `log` holds what it printed."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_end(self, limit_s: float = 20.0) -> str:
        """Wait until the client has ended by itself and return what it printed."""
        self.process.wait(limit_s)
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def freerdp(display: Display, folder: Path, port: int, *options: str) -> Iterator[FreeRdp]:
    """xfreerdp to `port` of this machine with bogus credentials and any certificate; `options` are added."""
    log = folder / f"freerdp-{secrets.token_hex(3)}.out"
    command = [XFREERDP, f"/v:127.0.0.1:{port}", "/u:nobody", "/p:bogus", "/cert:ignore", "/bpp:32", "-grab-keyboard"]
    with child([*command, *options], log, {**display.environment, "HOME": str(folder)}) as process:
        yield FreeRdp(process, log)


def screenshot(display: Display, width: int, height: int) -> bytes:
    """The left upper part of the display as RGB bytes, row by row, without the pointer."""
    command = ["import", "-window", "root", "-silent", "-depth", "8", "png:-"]
    taken = subprocess.run(command, env=display.environment, check=True, capture_output=True).stdout
    with Image.open(io.BytesIO(taken)) as image:
        return image.convert("RGB").crop((0, 0, width, height)).tobytes()


def save_png(rgb: bytes, width: int, height: int, path: Path) -> None:
    Image.frombytes("RGB", (width, height), rgb).save(path)


@contextlib.contextmanager
def packet_dump(path: Path, port: int) -> Iterator[Path]:
    """Everything that goes over the loopback device to and from `port`, as a pcap file."""
    log = path.with_suffix(".out")
    command = ["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-s", "0", "-w", str(path), "tcp", "port", str(port)]
    with child(command, log):
        wait_for(lambda: b"listening on" in log.read_bytes(), "tcpdump listens")
        yield path
