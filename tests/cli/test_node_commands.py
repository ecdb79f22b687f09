"""`lucid node`: against a running platform, and checking a statement without one."""

import functools
import http.server
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app
from lucid.model.tlog import TILE_WIDTH, entries_path
from tests.cli.running import running_platform
from tests.nodes.node_log import KEY, NodeLog, at
from tests.nodes.test_statement import some_log, statement_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_platform(tmp_path_factory.mktemp("lucid")) as folder:
        yield folder


def node(*arguments: str, data: Path | None = None) -> Result:
    before = ("--data-dir", str(data)) if data else ()
    return CliRunner().invoke(app, [*before, "node", *arguments])


def write_log(log: NodeLog, folder: Path) -> None:
    """The entry bundles as the log's own folder has them: whole ones, and one that is partial."""
    size = len(log.entries)
    for number in range(-(-size // TILE_WIDTH)):
        path = folder / entries_path(number, min(TILE_WIDTH, size - number * TILE_WIDTH))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(log.read(entries_path(number)))


@pytest.fixture
def log() -> NodeLog:
    return some_log()


@pytest.fixture
def statement(log: NodeLog, tmp_path: Path) -> Path:
    file = tmp_path / "statement.json"
    file.write_bytes(statement_of(log).to_bytes())
    return file


def check(statement: Path, where: str) -> Result:
    return node("check", str(statement), "--log", where, "--key", KEY.verifier.format())


def test_a_statement_is_checked_against_a_folder_that_has_grown_since(
    log: NodeLog, statement: Path, tmp_path: Path
) -> None:
    for sequence in range(1000, 1000 + 2 * TILE_WIDTH):
        log.close("r1", sequence, at(2, month=12), None)
    write_log(log, tmp_path / "log")
    found = check(statement, str(tmp_path / "log"))
    assert (found.exit_code, "it fits" in found.output) == (0, True)


def test_a_statement_is_checked_against_a_server(log: NodeLog, statement: Path, tmp_path: Path) -> None:
    write_log(log, tmp_path / "log")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "log"))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = check(statement, f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    assert (found.exit_code, "it fits" in found.output) == (0, True)


def test_a_forged_statement_is_refused(log: NodeLog, statement: Path, tmp_path: Path) -> None:
    write_log(log, tmp_path / "log")
    statement.write_text(statement.read_text().replace('"credits":3349', '"credits":9999'))
    found = check(statement, str(tmp_path / "log"))
    assert (found.exit_code, found.stderr.count("\n")) == (1, 1)
    assert "the log gives 3349 credits, the statement says 9999" in found.stderr


def test_bad_input_is_one_line(log: NodeLog, statement: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    for arguments, said in (
        (("check", str(tmp_path / "none"), "--log", ".", "--key", KEY.verifier.format()), "FILE: "),
        (("check", str(broken), "--log", ".", "--key", KEY.verifier.format()), "not a Statement"),
        (("check", str(statement), "--log", str(tmp_path), "--key", KEY.verifier.format()), "--log: no file"),
        (("check", str(statement), "--log", str(tmp_path), "--key", "none"), "verifier key"),
        (("keygen", "BAD NAME", str(tmp_path / "key")), "NAME: expected"),
        (("keygen", "pi", str(broken)), "FILE: File exists"),
        (("credits", "--month", "2026-13"), "month: expected one like 2026-11"),
    ):
        found = node(*arguments)
        assert (found.exit_code, found.stderr.count("\n")) == (2, 1), arguments
        assert said in found.stderr


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    found = node("keygen", "pi", str(tmp_path / "key"))
    assert found.exit_code == 0
    assert found.stdout.startswith("pi+")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert "PRIVATE+KEY+pi+" in (tmp_path / "key").read_text()


def test_nodes_of_a_running_platform(data: Path, tmp_path: Path) -> None:
    key = node("keygen", "pi", str(tmp_path / "key")).stdout.strip()
    assert node("add", "pi", key, "--recorder", "r-pi", "--pool", "europe", data=data).exit_code == 0
    assert node("add", "pi", key, data=data).exit_code == 2
    assert node("maintenance", "pi", data=data).exit_code == 0
    listed = json.loads(node("ls", "--json", data=data).stdout)
    assert [(item["node"]["name"], item["node"]["state"], item["own"]) for item in listed] == [
        ("local", "active", True),
        ("pi", "maintenance", False),
    ]
    assert "never" in node("ls", data=data).stdout
    computed = json.loads(node("credits", "--json", data=data).stdout)
    assert [item["node"] for item in computed] == ["local", "pi"]
    assert node("rm", "pi", data=data).exit_code == 0
    assert node("rm", "local", data=data).exit_code == 2


def test_the_platform_s_own_statement_fits_its_log(data: Path, tmp_path: Path) -> None:
    made = tmp_path / "statement.json"
    assert node("statement", "local", "-o", str(made), data=data).exit_code == 0
    key = CliRunner().invoke(app, ["--data-dir", str(data), "log", "key"]).stdout.strip()
    found = node("check", str(made), "--log", str(data / "block-manager"), "--key", key, "--json")
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["node"] == "local"
