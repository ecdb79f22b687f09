"""Logs go to a file, too: JSON, begun anew at its limit, without secrets."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from lucid.base.errors import InvalidInput
from lucid.base.logging import LogFile, configure_logging
from lucid.base.secret import Secret


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    for handler in logging.getLogger().handlers:
        if handler not in handlers:
            handler.close()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


def test_a_file_has_json_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    configure_logging(json=False, file=LogFile(path, 10_000, 1))
    structlog.get_logger("of.mine").info("opened", password="hunter2", other=Secret("hunter3"), size=3)
    logging.getLogger("a.library").warning("said")
    mine, library = (json.loads(line) for line in path.read_text().splitlines())
    assert (mine["event"], mine["size"], mine["level"]) == ("opened", 3, "info")
    assert "hunter" not in path.read_text()
    assert library["event"] == "said"


def test_a_line_is_made_once_for_the_terminal_and_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Counted:
        times = 0

        def __repr__(self) -> str:
            self.times += 1
            return "counted"

    path, value = tmp_path / "a.log", Counted()
    configure_logging(json=True, file=LogFile(path, 10_000, 1))
    structlog.get_logger("of.mine").info("opened", value=value)
    logging.getLogger("a.library").warning("said")
    assert value.times == 1
    assert path.read_text() == capsys.readouterr().err
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["opened", "said"]


def test_a_file_is_begun_anew_and_few_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    configure_logging(json=True, file=LogFile(path, 1000, 2))
    for number in range(100):
        structlog.get_logger().info("entry", number=number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["a.log", "a.log.1", "a.log.2"]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert json.loads(path.read_text().splitlines()[-1])["number"] == 99


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"log file {tmp_path}/none/a.log: No such file"):
        configure_logging(json=True, file=LogFile(tmp_path / "none" / "a.log", 1000, 2))
