"""A server that speaks Elasticsearch's HTTP API: noida-db as a child process."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def noida(folder: Path) -> Iterator[str]:
    """Its address, while it runs with its data in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    program = str(Path(sys.executable).with_name("noida-db"))
    options = ["--data-dir", str(folder / "data"), "--only", "elasticsearch", "--elasticsearch-port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, "start", *options], cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(url)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 15)  # the program is a child of its launcher
        server.wait()


def _wait(url: str) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
