"""`lucid deploy init`, `unlock`, `lock`, `configure`, `preflight` as they are typed."""

import fcntl
import json
import os
import pty
import stat
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app
from lucid.crypto.age import new_identity
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.place import Place
from tests.cli.running import LUCID

CATALOG = Catalog()
FIRST = CATALOG.phases[0]
NAME = "oidc-client-secret"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("LUCID_DEPLOY_DIR", str(tmp_path / "deploy"))
    monkeypatch.setenv("LUCID_DEPLOY_IDENTITY", str(tmp_path / "config/identity"))
    monkeypatch.setenv("LUCID_RUN_DIR", str(tmp_path / "run"))
    return Place.load()


@pytest.fixture
def made(place: Place) -> Place:
    assert lucid("init", "--yes").exit_code == 0
    return place


def lucid(*argv: str) -> Result:
    return CliRunner().invoke(app, ["deploy", *argv])


def test_init_with_defaults(place: Place, tmp_path: Path) -> None:
    done = lucid("init", "--yes", "--json")
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    assert (shown["deployment"], shown["identity"]) == (str(place.deploy_dir), str(place.identity))
    assert (place.secrets / "administrator-password").read_text() == shown["administrator_password"]
    assert "AGE-SECRET-KEY" not in done.output
    assert stat.S_IMODE(place.identity.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.secrets.stat().st_mode) == 0o700
    for phase in CATALOG.phases:
        assert stat.S_IMODE(place.encrypted(phase).stat().st_mode) == 0o600
        assert stat.S_IMODE(place.unlocked(phase).stat().st_mode) == 0o600
    values = place.values(CATALOG)
    assert values["LUCID_DATA_ROOT"] == str(tmp_path / "data")
    assert values["LUCID_BIND_DATA"] == "127.0.0.1"
    assert values["LUCID_IMAGE_TAG"] == f"latest-{values['LUCID_PLATFORM'].removeprefix('linux/')}"


def test_init_with_options(place: Place, tmp_path: Path) -> None:
    chosen = {
        "--data-root": str(tmp_path / "my data"),
        "--logs-root": str(tmp_path / "my logs"),
        "--public-address": "pi.example.org",
        "--bind-public": "192.168.0.75",
        "--bind-data": "192.168.0.76",
        "--platform": "linux/arm64",
        "--tag": "v1",
        "--set": "LUCID_LOG_LEVEL=DEBUG",
    }
    assert lucid("init", "--yes", *(word for option in chosen.items() for word in option)).exit_code == 0
    values = place.values(CATALOG)
    names = ("DATA_ROOT", "LOGS_ROOT", "PUBLIC_ADDRESS", "BIND_PUBLIC", "BIND_DATA", "PLATFORM", "IMAGE_TAG")
    assert [values[f"LUCID_{name}"] for name in names] == list(chosen.values())[:-1]
    assert values["LUCID_LOG_LEVEL"] == "DEBUG"
    assert (tmp_path / "my data" / "lucid-redis").is_dir()


def test_init_asks_on_a_terminal(place: Place) -> None:
    ours, its = pty.openpty()
    with subprocess.Popen([LUCID, "deploy", "init"], stdin=its, stdout=its, stderr=subprocess.PIPE) as process:
        os.close(its)
        os.write(ours, b"\n\npi.example.org\n\n10.0.0.1\nlinux/arm64\n\n")
        shown = b""
        try:
            while data := os.read(ours, 4096):
                shown += data
        except OSError:  # what a terminal says whose other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    assert f"Folder of all data [{place.deploy_dir.parent / 'data'}]".encode() in shown.replace(b"\r\n", b"")
    values = place.values(CATALOG)
    assert (values["LUCID_PUBLIC_ADDRESS"], values["LUCID_BIND_PUBLIC"]) == ("pi.example.org", "0.0.0.0")
    assert (values["LUCID_BIND_DATA"], values["LUCID_IMAGE_TAG"]) == ("10.0.0.1", "latest-arm64")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--platform", "arm64", "LUCID_PLATFORM: expected linux/arm64 or linux/amd64"),
        ("--bind-public", "eth0", "LUCID_BIND_PUBLIC: expected an IP address"),
        ("--bind-data", "300.0.0.1", "LUCID_BIND_DATA: expected an IP address"),
        ("--public-address", "my pi", "LUCID_PUBLIC_ADDRESS: expected a host name"),
        ("--set", "LUCID_NOTHING=1", "LUCID_NOTHING: no environment file has such a variable"),
        ("--set", "LUCID_LOG_LEVEL", "expected NAME=VALUE"),
        ("--set", "LUCID_SECRETS_DIR=/etc", "LUCID_SECRETS_DIR: expected "),
        ("--set", "LUCID_SECRET_REDIS_PASSWORD=weak", "no environment file has such a variable"),
    ],
)
def test_init_refuses_and_leaves_nothing(place: Place, option: str, value: str, reason: str) -> None:
    done = lucid("init", "--yes", option, value)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert reason in done.stderr
    assert not place.deploy_dir.exists()
    assert not place.identity.exists()
    assert lucid("init", "--yes").exit_code == 0


def test_init_where_a_deployment_is(made: Place) -> None:
    before = made.encrypted(FIRST).read_bytes(), made.identity.read_bytes()
    done = lucid("init", "--yes")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert str(made.deploy_dir) in done.stderr
    assert (made.encrypted(FIRST).read_bytes(), made.identity.read_bytes()) == before


def test_init_keeps_the_identity_that_is_there(place: Place) -> None:
    place.identity.parent.mkdir()
    place.identity.write_text(f"# mine\n{new_identity().reveal()}\n")
    place.identity.chmod(0o600)
    before = place.identity.read_bytes()
    assert lucid("init", "--yes").exit_code == 0
    assert place.identity.read_bytes() == before


def test_init_that_is_killed_is_begun_anew_or_done(place: Place) -> None:
    with subprocess.Popen([LUCID, "deploy", "init", "--yes"], stdout=subprocess.DEVNULL) as process:
        while not place.identity.exists() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
    if lucid("unlock").exit_code != 0:
        assert lucid("init", "--yes").exit_code == 0
    assert place.is_unlocked(CATALOG)


def test_two_that_make_one_at_once(place: Place) -> None:
    """One does, and the other finds it made."""
    command = [LUCID, "deploy", "init", "--yes", "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    (told, _), (_, refused) = sorted((process.communicate() for process in both), reverse=True)
    assert sorted(process.returncode for process in both) == [0, 2]
    assert "there is a deployment already" in refused
    password = json.loads(told)["administrator_password"]
    assert (place.secrets / "administrator-password").read_text() == password


def test_lock_and_unlock(made: Place) -> None:
    before = (made.secrets / "redis-password").read_bytes()
    locked = lucid("lock", "--json")
    assert json.loads(locked.stdout) == {"unlocked": False, "folder": str(made.run_dir)}
    assert not made.secrets.exists()
    assert not made.is_unlocked(CATALOG)
    assert lucid("lock").exit_code == 0, "twice is as once"
    assert json.loads(lucid("unlock", "--json").stdout)["unlocked"] is True
    assert (made.secrets / "redis-password").read_bytes() == before
    assert str(made.run_dir) in lucid("unlock").stdout


def test_unlock_changes_nothing_that_is_right(made: Place) -> None:
    """A container may be starting with it."""
    files = [path for path in made.run_dir.rglob("*") if path.is_file()]
    before = [path.stat().st_ino for path in files]
    assert lucid("unlock").exit_code == 0
    assert [path.stat().st_ino for path in files] == before


@pytest.mark.parametrize("command", [("unlock",), ("configure", "LUCID_LOG_LEVEL=DEBUG")])
def test_without_a_deployment(place: Place, command: tuple[str, ...]) -> None:
    done = lucid(*command)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert str(place.deploy_dir) in done.stderr
    assert "lucid deploy init" in done.stderr


@pytest.mark.parametrize("text", ["", "nonsense", "\xff", "AGE-SECRET-KEY-1QQQQ", "another"])
def test_an_identity_that_does_not_open_it(made: Place, text: str) -> None:
    made.identity.write_bytes((new_identity().reveal() if text == "another" else text).encode("latin-1"))
    done = lucid("unlock")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert str(made.identity) in done.stderr
    assert "AGE-SECRET" not in done.output


def test_configure(made: Place) -> None:
    assert lucid("configure", "LUCID_LOG_LEVEL=DEBUG", "LUCID_REDIS_MEMORY=256m").exit_code == 0
    values = made.values(CATALOG)
    assert (values["LUCID_LOG_LEVEL"], values["LUCID_REDIS_MEMORY"]) == ("DEBUG", "256m")
    before = made.encrypted(FIRST).read_bytes()
    done = lucid("configure", "LUCID_REDIS_MEMORY=lots", "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "LUCID_REDIS_MEMORY: expected memory" in done.stderr
    assert made.encrypted(FIRST).read_bytes() == before


@pytest.mark.parametrize(
    "command", [("configure", "LUCID_LOG_LEVEL=DEBUG"), ("secret", NAME, "--clear"), ("unlock",), ("lock",)]
)
def test_settings_do_not_change_under_a_command_that_is_at_work(
    made: Place, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """`lucid deploy up` may have those of an earlier set in memory."""
    monkeypatch.setattr("lucid.deploy.launch.lock.WAIT_S", 0.1)
    made.unlocked(FIRST).write_text("as the command at work has it")
    before = made.encrypted(FIRST).read_bytes()
    with made.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = lucid(*command)
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert "another command is at work on this deployment" in done.stderr
    assert made.encrypted(FIRST).read_bytes() == before
    assert made.unlocked(FIRST).read_text() == "as the command at work has it"
    assert lucid(*command).exit_code == 0


def test_unlocking_needs_no_disk_that_can_be_written_to(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at boot: `ProtectSystem=strict` of the unit that unlocks."""
    monkeypatch.setattr("lucid.cli.deploy_desk.os.access", lambda *_: False)
    made.lock.unlink()
    assert lucid("unlock").exit_code == 0
    assert not made.lock.exists()


def test_preflight_before_it_is_unlocked(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        'info) echo \'{"ServerVersion": "26.1", "MemTotal": 25276510208}\' ;;\n'
        "compose) echo 2.26.1 ;;\n"
        "esac\n"
    )
    docker.chmod(0o755)
    monkeypatch.setenv("LUCID_DOCKER", str(docker))
    assert lucid("lock").exit_code == 0
    done = lucid("preflight", "--json")
    shown = json.loads(done.stdout)
    assert (done.exit_code, shown["fit"]) == (1, False)
    secrets = next(check for check in shown["checks"] if check["name"] == "secrets")
    assert (secrets["state"], secrets["remedy"]) == ("failed", "lucid deploy unlock")
    table = lucid("preflight")
    assert table.exit_code == 1
    assert "lucid deploy unlock" in table.stdout


def test_preflight_of_two_engines() -> None:
    done = lucid("preflight", "--context", "a", "--host", "ssh://b")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


def test_preflight_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_DOCKER", "/nonexistent/docker")
    done = lucid("preflight")
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert "/nonexistent/docker" in done.stderr


def test_a_secret_comes_from_a_pipe_or_a_file(made: Place, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["deploy", "secret", NAME], input="from a pipe\n")
    assert (done.exit_code, "from a pipe" in done.output) == (0, False)
    assert (made.secrets / NAME).read_text() == "from a pipe"
    file = tmp_path / "given"
    file.write_text("from a file\n")
    done = lucid("secret", NAME, "--file", str(file), "--json")
    assert json.loads(done.stdout) == {"changed": NAME, "given": True}
    assert (made.secrets / NAME).read_text() == "from a file"
    assert json.loads(lucid("secret", NAME, "--clear", "--json").stdout) == {"changed": NAME, "given": False}
    assert (made.secrets / NAME).read_text().strip() == ""


def test_a_secret_is_asked_for_and_not_shown(made: Place) -> None:
    ours, its = pty.openpty()
    with subprocess.Popen([LUCID, "deploy", "secret", NAME], stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        shown = b""
        try:
            while data := os.read(ours, 4096):
                shown += data
                if shown.endswith(f"{NAME}: ".encode()):
                    os.write(ours, b"typed in\n")
        except OSError:  # what a terminal says whose other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    assert b"typed in" not in shown
    assert (made.secrets / NAME).read_text() == "typed in"


@pytest.mark.parametrize(
    ("arguments", "given", "reason"),
    [
        ((NAME,), b"", "nothing was given"),
        ((NAME,), b"two\nlines", "expected one line"),
        ((NAME,), b"\xff\xfe", "expected text"),
        ((NAME,), b"a" * 5000, "at most 4096 characters"),
        ((NAME, "--file", "nowhere"), b"", "--file: nowhere: No such file"),
        ((NAME, "--file", "nowhere", "--clear"), b"", "expected one of them"),
        ((NAME,), "aé".encode() * 9000, "at most 4096 characters"),
        (("redis-password",), b"mine", f"expected {NAME}"),
        (("redis-password",), b"", f"expected {NAME}"),
    ],
)
def test_what_is_no_secret_is_refused(made: Place, arguments: tuple[str, ...], given: bytes, reason: str) -> None:
    before = made.encrypted(FIRST).read_bytes()
    done = CliRunner().invoke(app, ["deploy", "secret", *arguments], input=given)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert reason in done.stderr
    assert made.encrypted(FIRST).read_bytes() == before
