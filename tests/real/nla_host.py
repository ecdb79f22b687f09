"""A real host that demands NLA: FreeRDP's shadow server, which shows an X display to accounts of a SAM file."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.real.rdp_client import Display
from tests.real.xrdp_host import child, free_port, listening, wait_for

# FreeRDP 2, or 3 under the names that Debian gives it.
SHADOW = shutil.which("freerdp-shadow-cli") or "freerdp-shadow-cli3"
HASH = shutil.which("winpr-hash") or "winpr-hash3"
USERNAME, PASSWORD = "ada", "geheim und lang"


@dataclass(frozen=True)
class NlaHost:
    """Where it listens, and what it printed."""

    port: int
    log: Path


@contextlib.contextmanager
def running_nla_host(folder: Path, display: Display) -> Iterator[NlaHost]:
    """Start it; anybody but `USERNAME` with `PASSWORD` is turned away before RDP begins."""
    accounts, log, port = folder / "accounts.sam", folder / "shadow.out", free_port()
    made = subprocess.run([HASH, "-u", USERNAME, "-p", PASSWORD, "-f", "sam"], check=True, capture_output=True)
    accounts.write_bytes(made.stdout)
    command = [SHADOW, f"/port:{port}", "/bind-address:127.0.0.1", "/sec:nla", f"/sam-file:{accounts}"]
    environment = {**display.environment, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with child([*command, "+auth"], log, environment):
        wait_for(lambda: listening(port), "the shadow server listens")
        yield NlaHost(port, log)
