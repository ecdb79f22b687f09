"""pyrdp-mitm, another RDP proxy in Python that records, as something to compare with.

It is under the GPL: it is installed into a virtual environment of its own and only ever run as a program.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.load import ADDRESS
from benchmarks.traffic import WORK
from tests.real.xrdp_host import child as command
from tests.real.xrdp_host import free_port, wait_for

_VENV = WORK / "pyrdp"
_PACKAGE = "pyrdp-mitm==2.1.0"
_INSTALL_LIMIT_S = 300.0


class NotInstalled(Exception):
    """pip could not install it; the text says why."""


def install() -> Path:
    """The program, installed by pip at the first call. Raises NotInstalled."""
    program = (_VENV / "bin" / "pyrdp-mitm").resolve()
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
        pip = [str(_VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", _PACKAGE]
        try:
            subprocess.run(pip, check=True, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"pip did not end within {_INSTALL_LIMIT_S:g} s") from None
        except subprocess.CalledProcessError as error:
            raise NotInstalled(error.stderr.strip().splitlines()[-1]) from None
    return program


@contextmanager
def running(target: int, folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Its port and process, while it relays to `target` and records below `folder`."""
    program, port, log = install(), free_port(), folder / "pyrdp.out"
    options = ["--auth", "tls", "-a", ADDRESS, "-l", str(port), "-o", str((folder / "pyrdp").resolve())]
    environment = {**os.environ, "HOME": str(folder.resolve())}
    with command([str(program), *options, f"{ADDRESS}:{target}"], log, environment) as process:
        # Its log says so; a connection to try would be one more session to it.
        wait_for(lambda: b"MITM Server listening" in log.read_bytes(), "pyrdp-mitm listens")
        yield port, psutil.Process(process.pid)
