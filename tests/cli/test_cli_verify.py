"""`lucid verify`: the report in colours, and its exit status."""

import json

import pytest
import typer
from typer.testing import CliRunner

from lucid.cli.verify import verify
from tests.verify.test_vectors import DATA

GOOD = ["good/bundle.json", "--key", "good/key", "--recording", "good/recording", "--log", "good/log"]

app = typer.Typer()
app.command()(verify)


@pytest.fixture(autouse=True)
def _in_the_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)


def test_verified() -> None:
    result = CliRunner().invoke(app, [*GOOD, "--identity", "identity/owner", "--checkpoint", "good/log/checkpoint"])
    assert result.exit_code == 0, result.output
    assert result.output.count("✓") == 14
    assert "VERIFIED: session 01930000-0000-7000-8000-000000000002" in result.output


def test_not_verified() -> None:
    result = CliRunner().invoke(app, [*GOOD[:4], "step-09-file-bit-flipped/recording"])
    assert result.exit_code == 1
    assert "✗" in result.output
    assert "NOT VERIFIED: step 9 chunk-files: chunk 1 is altered" in result.output


def test_json() -> None:
    result = CliRunner().invoke(app, [*GOOD, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verified"] is True


def test_log_alone() -> None:
    result = CliRunner().invoke(app, ["--key", "good/key", "--log", "good/log"])
    assert result.exit_code == 0
    assert "VERIFIED: the log" in result.output


def test_warnings_are_listed_and_strict_refuses_them() -> None:
    late = ["good/bundle.json", "--key", "good/key", "--log", "ok-closed-late/log"]
    result = CliRunner().invoke(app, late)
    assert result.exit_code == 0
    assert "was closed in a block of" in " ".join(result.output.split())
    assert "(warnings: 1)" in result.output
    assert CliRunner().invoke(app, [*late, "--strict"]).exit_code == 1


def test_bad_input() -> None:
    result = CliRunner().invoke(app, ["--key", "good/key"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "lucid: nothing to verify: give a bundle, or a log with --log\n"
