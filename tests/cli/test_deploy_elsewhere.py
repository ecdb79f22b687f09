"""`lucid deploy … --host ssh://…`: over a real sshd, to this machine."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lucid
from lucid.cli.app import app
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.place import Place
from tests.cli.running import LUCID
from tests.cli.ssh_server import Server, ssh_server

CATALOG = Catalog()
NAME = "oidc-client-secret"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("there")
    return Place(folder / "deploy", folder / "identity", folder / "run")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, place: Place) -> Iterator[Server]:
    environment = {
        "LUCID_DEPLOY_DIR": str(place.deploy_dir),
        "LUCID_DEPLOY_IDENTITY": str(place.identity),
        "LUCID_RUN_DIR": str(place.run_dir),
    }
    with ssh_server(tmp_path_factory.mktemp("sshd"), environment) as running:
        yield running


@pytest.fixture
def environment(server: Server) -> dict[str, str]:
    """This side has nothing of the deployment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUCID_", "DOCKER_"))}
    return {**kept, "LUCID_SSH": server.ssh, "LUCID_REMOTE_LUCID": LUCID, "LUCID_DEPLOY_DIR": "/nonexistent"}


def there(
    environment: dict[str, str], server: Server, *arguments: str, given: str = ""
) -> "subprocess.CompletedProcess[str]":
    argv = [LUCID, "deploy", arguments[0], "--host", server.address, *arguments[1:]]
    return subprocess.run(argv, env=environment, input=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def made(server: Server, place: Place) -> Place:
    """A deployment, made from a terminal here, with an answer to each question."""
    ours, its = pty.openpty()
    argv = [LUCID, "deploy", "init", "--host", server.address, "--set", "LUCID_LOG_LEVEL=DEBUG"]
    environment = {**os.environ, "LUCID_SSH": server.ssh, "LUCID_REMOTE_LUCID": LUCID}
    with subprocess.Popen(argv, stdin=its, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        shown = b""
        try:
            while data := os.read(ours, 4096):
                shown += data
                if shown.endswith(b"]: "):
                    os.write(ours, b"pi.example.org\n" if b"reach this machine" in shown.splitlines()[-1] else b"\n")
        except OSError:  # what a terminal says whose other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0, shown
    assert b"admin, password" in shown
    return place


def test_a_terminal_here_is_one_there(made: Place) -> None:
    values = made.values(CATALOG)
    assert (values["LUCID_PUBLIC_ADDRESS"], values["LUCID_LOG_LEVEL"]) == ("pi.example.org", "DEBUG")
    assert values["LUCID_DATA_ROOT"] == str(made.deploy_dir.parent / "data")


def test_what_is_typed_here_is_done_there(environment: dict[str, str], server: Server, made: Place) -> None:
    word = 'it\'s $(touch /tmp/x); "a" é'
    done = there(environment, server, "configure", f"LUCID_API_GATEWAY_TLS={word}", "LUCID_LOG_LEVEL=INFO", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"changed": {"LUCID_API_GATEWAY_TLS": word, "LUCID_LOG_LEVEL": "INFO"}}
    assert made.values(CATALOG)["LUCID_API_GATEWAY_TLS"] == word
    assert json.loads(there(environment, server, "lock", "--json").stdout)["folder"] == str(made.run_dir)
    assert not made.is_unlocked(CATALOG)
    assert json.loads(there(environment, server, "unlock", "--json").stdout)["unlocked"] is True
    assert made.is_unlocked(CATALOG)
    assert json.loads(there(environment, server, "history", "--json").stdout) == []


def test_a_secret_goes_there_as_standard_input(
    environment: dict[str, str], server: Server, made: Place, tmp_path: Path
) -> None:
    assert there(environment, server, "secret", NAME, given="from a pipe\n").returncode == 0
    assert (made.secrets / NAME).read_text() == "from a pipe"
    (tmp_path / "given").write_text("from a file of this side")
    assert there(environment, server, "secret", NAME, "--file", str(tmp_path / "given")).returncode == 0
    assert (made.secrets / NAME).read_text() == "from a file of this side"
    done = there(environment, server, "secret", NAME, "--file", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stderr) == (2, f"lucid: {tmp_path / 'nowhere'}: No such file or directory\n")


def test_a_secret_is_not_typed_where_it_would_be_shown(environment: dict[str, str], server: Server) -> None:
    """The output goes to a file or another program, so there is no terminal there that would hide it."""
    ours, its = pty.openpty()
    argv = [LUCID, "deploy", "secret", NAME, "--json", "--host", server.address]
    done = subprocess.run(argv, env=environment, stdin=its, capture_output=True, text=True, timeout=60, check=False)
    os.close(its)
    os.close(ours)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("lucid: --file: expected, or a pipe")


def test_errors_come_back_as_they_are(environment: dict[str, str], server: Server, made: Place) -> None:
    done = there(environment, server, "configure", "LUCID_NOTHING=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "lucid: LUCID_NOTHING: no environment file has such a variable\n"
    environment["LUCID_REMOTE_LUCID"] = f"env LUCID_DOCKER=/nonexistent/docker {LUCID}"
    done = there(environment, server, "up", "--phase=1", "--skip-preflight")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "/nonexistent/docker" in done.stderr


def test_lucid_is_not_there(environment: dict[str, str], server: Server) -> None:
    environment["LUCID_REMOTE_LUCID"] = "/opt/nowhere/lucid"
    done = there(environment, server, "up")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "'/opt/nowhere/lucid'" in done.stderr
    assert "LUCID_REMOTE_LUCID" in done.stderr


def test_another_version_is_there(environment: dict[str, str], server: Server, tmp_path: Path) -> None:
    other = tmp_path / "lucid"
    other.write_text(f'#!/bin/sh\nshift 3\nexec {LUCID} deploy --caller 99.0 "$@"\n')
    other.chmod(0o755)
    environment["LUCID_REMOTE_LUCID"] = str(other)
    done = there(environment, server, "history")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"this machine has Lucid {lucid.__version__}, the one that calls it 99.0" in done.stderr


def test_nobody_answers(environment: dict[str, str], server: Server) -> None:
    argv = [LUCID, "deploy", "up", "--host", "ssh://127.0.0.1:1"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert done.stderr.splitlines()[-1] == "lucid: 127.0.0.1: ssh failed, as it says itself"
    environment["LUCID_SSH"] = "/nonexistent/ssh"
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "lucid: /nonexistent/ssh: No such file or directory\n")


@pytest.fixture
def here(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> pytest.MonkeyPatch:
    """The environment of the command in this process, with a docker that knows the context `pi`."""
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\ncase "$*" in\n*"compose version") ;;\n'
        f'"context inspect pi --format "*) echo {server.address} ;;\n*) echo "context not found" >&2; exit 1 ;;\nesac\n'
    )
    docker.chmod(0o755)
    for name in [name for name in os.environ if name not in environment]:
        monkeypatch.delenv(name)
    for name, value in (environment | {"LUCID_DOCKER": str(docker), "DOCKER_CONFIG": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("how", ["--context", "DOCKER_CONTEXT", "DOCKER_HOST", "docker context use"])
def test_where_docker_goes_there_it_goes(
    here: pytest.MonkeyPatch,
    server: Server,
    made: Place,
    tmp_path: Path,
    how: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if how == "docker context use":
        (tmp_path / "config.json").write_text('{"currentContext": "pi"}')
    elif how.startswith("DOCKER"):
        here.setenv(how, server.address if how == "DOCKER_HOST" else "pi")
    option = ("--context=pi",) if how == "--context" else ()
    done = CliRunner().invoke(app, ["deploy", "unlock", "--json", *option])
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(capfd.readouterr().out) == {"unlocked": True, "folder": str(made.run_dir)}


@pytest.mark.usefixtures("here")
def test_a_context_that_is_not_there() -> None:
    done = CliRunner().invoke(app, ["deploy", "unlock", "--context=x"])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "context not found" in done.stderr


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("address", ["tcp://pi:2376", "unix:///run/other.sock"])
@pytest.mark.parametrize("command", ["unlock", "init", "history", "up", "restart", "down"])
def test_what_ssh_does_not_lead_to(address: str, command: str, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    folder.mkdir()
    done = CliRunner().invoke(app, ["deploy", command, "--host", address, "--deploy-dir", str(folder)])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "name it by ssh" in done.stderr
