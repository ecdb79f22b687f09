"""How errors end a command: one line, an exit status, nothing that a terminal would obey."""

import pytest
import typer

from lucid.base.errors import Corrupted, InvalidInput
from lucid.cli.console import fail, run
from lucid.model.host import HostCredentials


def test_what_a_server_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left:
        fail(Corrupted("blob \x1b[2J\nis damaged"))
    assert left.value.exit_code == 1
    assert capsys.readouterr().err == "lucid: blob \\x1b[2J\\nis damaged\n"


def test_bad_input_is_status_2() -> None:
    with pytest.raises(typer.Exit) as left:
        fail(InvalidInput("NAME: no"))
    assert left.value.exit_code == 2


def test_a_value_that_does_not_fit_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        HostCredentials.model_validate({"username": "x" * 257, "password": "p"})

    with pytest.raises(typer.Exit) as left:
        run(work())
    assert left.value.exit_code == 2
    assert capsys.readouterr().err.startswith("lucid: username: ")
