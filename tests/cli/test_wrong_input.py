"""What the command says of wrong input: one line that names it, an exit status, and never a traceback."""

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import LUCID, PORTS

NO_SESSION = "01930000-0000-7000-8000-000000000000"


def lucid(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LUCID, *arguments],
        env={**os.environ, "LUCID_DATA_DIR": str(data), **PORTS, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    """The command ended with one line that holds all that is expected."""
    lines = done.stderr.splitlines()
    assert len([line for line in lines if "[info " not in line]) == 1, done.stderr
    assert lines[-1].startswith("lucid: ")
    for text in expected:
        assert text in lines[-1]
    assert done.returncode in {1, 2}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running platform without hosts or sessions."""
    data = tmp_path_factory.mktemp("lucid")
    process = subprocess.Popen(
        [LUCID, "up"],
        env={**os.environ, "LUCID_DATA_DIR": str(data), **PORTS},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert any("Press Ctrl-C" in line for line in process.stdout)
    yield data
    process.terminate()
    process.communicate(timeout=10)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("connect", "nowhere"), "no host 'nowhere'"),
        (("connect", "A b"), "HOST: expected"),
        (("connect", "nowhere", "--user", "ä"), "--user: expected"),
        (("host", "rm", "nowhere"), "no host 'nowhere'"),
        (("host", "add", "office", "192.0.2.7", "--username", "me"), "the password is empty"),
        (("host", "add", "office", "192.0.2.7", "--username", ""), "--username"),
        (("session", "show", "last"), "no session yet"),
        (("session", "show", ""), "no session ''"),
        (("session", "show", NO_SESSION), NO_SESSION),
        (("session", "export", "x" * 36), "no session"),
        (("up",), "another lucid runs on"),
    ],
)
def test_wrong_input_of_a_running_platform(platform: Path, arguments: tuple[str, ...], expected: str) -> None:
    refused(lucid(platform, *arguments), expected)


def test_a_host_is_not_added_twice_and_a_ticket_not_written_anywhere(platform: Path, tmp_path: Path) -> None:
    add = ("host", "add", "twice", "192.0.2.7", "--username", "me")
    assert lucid(platform, *add, LUCID_HOST_PASSWORD="p").returncode == 0
    refused(lucid(platform, *add), "host 'twice' exists", "lucid host rm twice")
    refused(lucid(platform, "connect", "twice", "--output", str(tmp_path)), str(tmp_path), "Is a directory")
    refused(lucid(platform, "connect", "twice", "--output", str(tmp_path / "a" / "b")), "No such file or directory")
    assert lucid(platform, "host", "rm", "twice").returncode == 0


def test_no_platform(tmp_path: Path) -> None:
    refused(lucid(tmp_path / "data", "session", "ls"), "no platform runs on", "lucid up")


def test_a_data_folder_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    refused(lucid(file, "up"), str(file), "--data-dir", "LUCID_DATA_DIR")
    refused(lucid(file, "session", "ls"), str(file))
    doctor = lucid(file, "doctor")
    assert doctor.returncode == 1
    assert "✗  Data folder" in doctor.stdout


def test_a_demonstration_of_services_apart_is_refused(tmp_path: Path) -> None:
    refused(lucid(tmp_path, "demo", LUCID_CONSUL_URL="http://127.0.0.1:1"), "lucid up --demo")


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    refused(lucid(tmp_path, "up", LUCID_LOG_LEVEL="LOUD"), "LUCID_LOG_LEVEL", "'DEBUG'")
    refused(lucid(tmp_path, "up", LUCID_HTTP_PORT="8080"), "LUCID_HTTP_PORT", "cannot share a port")
    elsewhere = lucid(tmp_path, "up", LUCID_RDP_CONTROLLER_LISTEN_ADDRESS="192.0.2.7")
    refused(elsewhere, "192.0.2.7", "LUCID_RDP_CONTROLLER_LISTEN_ADDRESS chooses another")


def test_a_taken_port_and_what_chooses_another_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(lucid(tmp_path, "up", LUCID_RDP_CONTROLLER_RDP_PORT=port), port, "LUCID_RDP_CONTROLLER_RDP_PORT")
        doctor = lucid(tmp_path, "doctor", LUCID_RDP_CONTROLLER_RDP_PORT=port)
    assert doctor.returncode == 1
    assert re.search(rf"✗ +Ports +taken: {port} .*LUCID_RDP_CONTROLLER_RDP_PORT", doctor.stdout)


@pytest.mark.parametrize("after_s", [0.15, 0.5, 1.0, 1.5])
async def test_an_interrupt_while_it_starts_is_quiet(tmp_path: Path, after_s: float) -> None:
    process = await asyncio.create_subprocess_exec(
        LUCID,
        "up",
        env={**os.environ, "LUCID_DATA_DIR": str(tmp_path / "data"), **PORTS, "LUCID_LOG_LEVEL": "ERROR"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await asyncio.sleep(after_s)  # whatever moment of the start this hits
    process.send_signal(2)
    async with asyncio.timeout(5):
        _, stderr = await process.communicate()
    assert stderr == b""


def test_it_stops_as_always_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    with subprocess.Popen(
        [LUCID, "up"],
        env={**os.environ, "LUCID_DATA_DIR": str(tmp_path / "data"), **PORTS, "LUCID_LOG_LEVEL": "ERROR"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any("Press Ctrl-C" in line for line in process.stdout)
        process.stdout.close()  # Ctrl-C in `lucid up | tee …` ends tee as well
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
        assert process.wait(timeout=10) == 0
    assert not (tmp_path / "data/run/platform.json").exists()
