"""`make run` as a new user sees it: the platform starts, records, proves, and stops at Ctrl-C."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import LUCID

START_LIMIT_S = 60.0
STOP_LIMIT_S = 5.0
DATA = "data [red]"
"""A folder whose name a shell or a terminal library could take for something else."""


@pytest.fixture
def lucid(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`lucid up --demo` on a folder of the test, in a session of its own as a terminal would give it."""
    environment = {
        **os.environ,
        "LUCID_DATA_DIR": DATA,
        "LUCID_HTTP_PORT": "0",
        "LUCID_RDP_CONTROLLER_RDP_PORT": "0",
        "COLUMNS": "100",
    }
    process = subprocess.Popen(
        [LUCID, "up", "--demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The output up to the line that holds `text`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    assert process.stderr is not None
    raise AssertionError(f"ended without {text!r}:\n{seen}\n{process.stderr.read()}")


@pytest.mark.timeout(START_LIMIT_S + 30)
def test_the_demo_records_proves_and_stops(lucid: subprocess.Popen[str], tmp_path: Path) -> None:
    shown = read_until(lucid, "Press Ctrl-C")
    assert re.search(r"administrator admin, password \S{20,}", shown)
    assert "✓ verified" in shown
    assert "compressed" in shown
    enter = re.search(r"^ +(cd .*)$", shown, re.MULTILINE)
    verify = re.search(r"^ +(\S*lucid .*verify bundle.json .*)$", shown, re.MULTILINE)
    assert enter is not None
    assert verify is not None
    typed = ["sh", "-c", f"{enter[1]} && {verify[1]}"]
    export = Path(shlex.split(enter[1])[1])
    assert (export / "last-picture.png").read_bytes().startswith(b"\x89PNG")

    def told(*words: str) -> dict[str, str]:
        asked = [LUCID, "--data-dir", str(tmp_path / DATA), *words, "--json"]
        found: dict[str, str] = json.loads(subprocess.run(asked, cwd=tmp_path, capture_output=True, check=True).stdout)
        return found

    written = told("session", "export", "last", "--output", "proof")
    assert {name: Path(path) for name, path in written.items()} == {
        "folder": Path("proof"),
        "bundle": Path("proof/bundle.json"),
        "chunks": Path("proof/chunks"),
        "key": Path("proof/log.key"),
    }
    assert told("log", "key")["key"] == (tmp_path / "proof/log.key").read_text().strip()
    assert told("log", "checkpoint")["checkpoint"].count("\n") > 4

    # What it tells the user to type works, and fails once a byte is changed.
    assert subprocess.run(typed, capture_output=True).returncode == 0
    chunk = next((export / "chunks").iterdir())
    data = bytearray(chunk.read_bytes())
    data[200] ^= 1
    chunk.write_bytes(data)
    refused = subprocess.run(typed, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "step 9 chunk-files" in refused.stdout

    began = time.monotonic()
    os.killpg(lucid.pid, signal.SIGINT)
    assert lucid.wait(timeout=STOP_LIMIT_S) == 0
    assert time.monotonic() - began < STOP_LIMIT_S


def test_the_password_is_shown_once(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "LUCID_DATA_DIR": str(tmp_path / "data"),
        "LUCID_HTTP_PORT": "0",
        "LUCID_RDP_CONTROLLER_RDP_PORT": "0",
    }
    seen = []
    for _ in range(2):
        process = subprocess.Popen(
            [LUCID, "up"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        seen.append(read_until(process, "Press Ctrl-C") if process.stdout else "")
        process.terminate()
        process.communicate(timeout=STOP_LIMIT_S)
    assert "administrator admin" in seen[0]
    assert "administrator" not in seen[1]
