"""`lucid session hold`, `share`, `delete`, and `lucid search rebuild`, with a running platform and without one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app

LUCID = str(Path(sys.executable).with_name("lucid"))
PORTS = {"LUCID_HTTP_PORT": "0", "LUCID_RDP_CONTROLLER_RDP_PORT": "0", "LUCID_API_GATEWAY_PUBLIC_PORT": "0"}


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


def lucid(data: Path, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["--data-dir", str(data), *arguments])


def test_the_index_is_rebuilt(data: Path) -> None:
    rebuilt = lucid(data, "search", "rebuild", "--json")
    assert rebuilt.exit_code == 0, rebuilt.stderr
    state = json.loads(rebuilt.stdout)
    assert (state["running"], state["error"]) == (False, "")
    assert state["indexed"] >= 2  # the account admin, and the act that created it
    assert lucid(data, "search", "rebuild").stdout.startswith("The search index is rebuilt: ")


@pytest.mark.parametrize(
    "arguments", [["hold"], ["unhold"], ["delete", "--yes"], ["share", "--to", "age1x"]], ids=lambda words: words[0]
)
def test_an_unknown_session_is_bad_input(data: Path, arguments: list[str]) -> None:
    answer = lucid(data, "session", arguments[0], "nonesuch", *arguments[1:])
    assert (answer.exit_code, "no session" in answer.stderr) == (2, True)


def test_a_file_that_is_not_there_is_bad_input(data: Path) -> None:
    answer = lucid(data, "session", "share", "last", "--to", "age1x", "--wrapped", "/nonesuch")
    assert answer.exit_code == 2
    assert "--wrapped: No such file" in answer.stderr


def test_without_a_platform_there_is_one_line(tmp_path: Path) -> None:
    answer = lucid(tmp_path, "search", "rebuild")
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
