"""`lucid account` against a running platform."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app

LUCID = str(Path(sys.executable).with_name("lucid"))
PORTS = {"LUCID_HTTP_PORT": "0", "LUCID_RDP_CONTROLLER_RDP_PORT": "0"}
PASSWORD = re.compile(r"([a-z2-9]{6}-){3}[a-z2-9]{6}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running platform."""
    folder = tmp_path_factory.mktemp("lucid")
    environment = {**os.environ, "LUCID_DATA_DIR": str(folder), **PORTS}
    with subprocess.Popen(
        [LUCID, "up"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert any("Press Ctrl-C" in line for line in process.stdout), "the platform did not start"
        yield folder
        process.terminate()
        process.communicate(timeout=10)


def account(data: Path, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["--data-dir", str(data), "account", *arguments])


def listed(data: Path) -> dict[str, tuple[str, bool]]:
    """Role and lock of each account."""
    found = json.loads(account(data, "ls", "--json").stdout)
    return {entry["name"]: (entry["role"], entry["locked"]) for entry in found}


def test_an_account_over_its_life(data: Path) -> None:
    added = account(data, "add", "ada", "--role", "developer")
    assert added.exit_code == 0
    assert PASSWORD.fullmatch(added.stdout.splitlines()[0])
    assert listed(data) == {"ada": ("developer", False), "admin": ("admin", False)}
    assert re.search(r"^ada +developer +active +none +20", account(data, "ls").stdout, re.MULTILINE)
    assert account(data, "role", "ada", "auditor").stdout == "Account ada has the role auditor now.\n"
    assert account(data, "lock", "ada").stdout == "Account ada is locked.\n"
    assert listed(data)["ada"] == ("auditor", True)
    assert account(data, "unlock", "ada").stdout == "Account ada can log in.\n"
    reset = account(data, "reset-password", "ada").stdout.splitlines()[0]
    assert PASSWORD.fullmatch(reset)
    assert reset != added.stdout.splitlines()[0]
    assert account(data, "rm", "ada").stdout == "Account ada is removed.\n"
    assert listed(data) == {"admin": ("admin", False)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("add", "Ada"), "NAME: expected"),
        (("add", "bob", "--role", "root"), "ROLE: expected one of user, developer, admin, auditor, not 'root'"),
        (("add", "admin"), "admin"),
        (("role", "nobody", "user"), "no account 'nobody'; see `lucid account ls`"),
        (("role", "admin", "owner"), "ROLE: expected one of"),
        (("role", "admin", "user"), "last administrator"),
        (("lock", "admin"), "last administrator"),
        (("rm", "admin"), "last administrator"),
        (("lock", "nobody"), "no account"),
        (("rm", "no/body"), "NAME: expected"),
        (("reset-password", "nobody"), "no account"),
    ],
)
def test_wrong_input_is_one_line(data: Path, arguments: tuple[str, ...], expected: str) -> None:
    done = account(data, *arguments)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("lucid: ")
    assert expected in line


def test_without_a_platform_it_says_so(tmp_path: Path) -> None:
    done = account(tmp_path, "ls")
    assert done.exit_code == 1
    assert "start one with `lucid up`" in done.stderr
