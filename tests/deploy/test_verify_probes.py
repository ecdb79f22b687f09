"""The programs that `lucid deploy verify` runs in containers, run here as they are there: with -c, without our code."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lucid.deploy.launch import probes
from lucid.deploy.launch.probes.container import processes, written


def run(name: str, *arguments: str, given: str = "", environment: dict[str, str] | None = None) -> Any:
    _, *rest = probes.program(name, *arguments)
    command = [sys.executable, "-I", *rest]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc of Linux")
def test_every_process_is_told_of_with_its_environment_and_arguments_and_not_the_program_itself() -> None:
    waiting = [sys.executable, "-c", "input()", "an argument"]
    with subprocess.Popen(waiting, env={"TOLD": "something"}, stdin=subprocess.PIPE) as process:
        told = run("container")
        process.communicate(b"\n")
    (found,) = [each for each in told["processes"] if each["pid"] == process.pid]
    assert found["cmdline"] == waiting
    assert found["environ"] == ["TOLD=something"]
    assert found["Uid"].split() == [str(os.getuid())] * 4
    assert {"Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Name"} <= set(found)
    assert not any("CapBnd" in word for each in told["processes"] for word in each["cmdline"][:1])


_NAMED_LIKE_THE_RUNTIME = """
import pathlib, sys
own = pathlib.Path("/proc/self/comm")
own.write_text("runc:[2:INIT]")
sys.stdout.write("named")
sys.stdout.flush()
sys.stdin.read()
own.write_text("program")
sys.stdin.close()
import signal
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc of Linux")
def test_what_the_runtime_is_about_to_start_is_looked_at_once_it_is_started() -> None:
    named = [sys.executable, "-c", _NAMED_LIKE_THE_RUNTIME]
    with subprocess.Popen(named, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(5) == b"named"
        stays = [each["Name"] for each in processes(Path("/proc"), 0.1) if each["pid"] == process.pid]
        threading.Timer(0.2, process.stdin.close).start()
        becomes = [each["Name"] for each in processes(Path("/proc")) if each["pid"] == process.pid]
        process.kill()
    assert (stays, becomes) == (["runc:[2:INIT]"], ["program"])


def test_writing_where_it_is_possible_leaves_nothing(tmp_path: Path) -> None:
    assert written(f"{tmp_path}/mark") == ""
    assert list(tmp_path.iterdir()) == []


def test_writing_where_it_is_not_says_why(tmp_path: Path) -> None:
    assert written(f"{tmp_path}/missing/mark") == "ENOENT"
    assert written("/proc/mark") in {"ENOENT", "EACCES", "EROFS"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc of Linux")
def test_what_answers_and_what_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as shut:
        shut.bind(("127.0.0.1", 0))
        places = [["127.0.0.1", listener.getsockname()[1]] for listener in (server, shut)]
        found = run("network", json.dumps([places, ["localhost", "nobody.invalid"]]))
    assert found["connected"] == ["", "Connection refused"]
    assert found["resolved"] == ["127.0.0.1", ""]
    assert isinstance(found["route_out"], bool)


def test_secrets_are_found_wherever_they_stand_and_by_their_file(tmp_path: Path) -> None:
    files = {
        "redis-password": "hunter2hunter2",
        "keys/log-key": "# of the log\n-----BEGIN KEY-----\nABCDEFGHIJ+/=\n-----END KEY-----\n",
        "keys/token": "-begins-with-a-dash",
        "keys/taken-away": "",
        "short": "1234",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    texts = {
        "a inspect": "redis://:hunter2hunter2@lucid-redis:6379/0",
        "a logs": "ABCDEFGHIJ+/= 1234",
        "b arguments": "x\n-begins-with-a-dash",
        "b logs": "-----BEGIN KEY-----\n# of the log\n1234",
    }
    found = run("secrets", str(tmp_path), given=json.dumps(texts))
    assert found["secrets"] == len(files)
    assert sorted(map(tuple, found["leaks"])) == [
        ("a inspect", "redis-password"),
        ("a logs", "keys/log-key"),
        ("b arguments", "keys/token"),
    ]
