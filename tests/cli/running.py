"""A platform in a process of its own, for the commands that speak to one."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LUCID = str(Path(sys.executable).with_name("lucid"))
PORTS = {
    "LUCID_HTTP_PORT": "0",
    "LUCID_RDP_CONTROLLER_RDP_PORT": "0",
    "LUCID_API_GATEWAY_PUBLIC_PORT": "0",
    "LUCID_BLOCKCHAIN_ENGINE_SLOT_MS": "50",
}


@contextlib.contextmanager
def running_platform(folder: Path) -> Iterator[Path]:
    """`lucid up` on the data folder, on ports of the system's choice."""
    environment = {**os.environ, "LUCID_DATA_DIR": str(folder), **PORTS}
    with subprocess.Popen(
        [LUCID, "up"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert any("Press Ctrl-C" in line for line in process.stdout), "the platform did not start"
        yield folder
        process.terminate()
        process.communicate(timeout=10)
