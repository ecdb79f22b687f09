"""`lucid deploy render`: what it writes, what it finds to differ, and what it leaves alone."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app
from lucid.deploy.catalog import Catalog
from lucid.deploy.registry import render
from tests.cli.running import LUCID

ROOT = Path(__file__).parents[2]
CORE = "configs/docker/docker-compose.core.yml"
SCRIPT = "configs/docker/networks.sh"


def lucid(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["deploy", "render", *map(str, arguments)])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    assert lucid("--out", tmp_path).exit_code == 0
    return tmp_path


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def test_the_committed_files_are_current() -> None:
    done = lucid("--out", ROOT, "--check")
    assert done.exit_code == 0, f"run `lucid deploy render`:\n{done.output}"


def test_writes_every_file_and_then_nothing(out: Path) -> None:
    assert dict(contents(out)) == {path: text.encode() for path, text in render(Catalog()).items()}
    assert os.access(out / SCRIPT, os.X_OK)
    again = lucid("--out", out)
    assert (again.exit_code, again.output) == (0, "")


def test_bytes_are_the_same_whatever_order_sets_have(out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    subprocess.run(
        [LUCID, "deploy", "render", "--out", other],
        env={**os.environ, "PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
        check=True,
        capture_output=True,
    )
    assert dict(contents(other)) == dict(contents(out))


def test_check_names_what_differs_and_writes_nothing(out: Path) -> None:
    with (out / CORE).open("a") as file:
        file.write("# changed by hand\n")
    (out / "configs/systemd/lucid-unlock.service").unlink()
    (out / SCRIPT).chmod(0o644)
    before = dict(contents(out))
    done = lucid("--out", out, "--check")
    assert done.exit_code == 1
    assert done.output.splitlines()[:-1] == [
        f"{CORE}: differs",
        f"{SCRIPT}: not executable",
        "configs/systemd/lucid-unlock.service: missing",
    ]
    assert dict(contents(out)) == before
    assert lucid("--out", out).output.splitlines() == [CORE, SCRIPT, "configs/systemd/lucid-unlock.service"]
    assert lucid("--out", out, "--check").exit_code == 0


def test_a_file_of_somebody_else_is_left_alone(out: Path) -> None:
    (out / CORE).write_text("services: {}\n")
    (out / SCRIPT).unlink()
    done = lucid("--out", out)
    assert done.exit_code == 2
    assert f"{CORE} was not rendered by this command" in done.output
    assert (out / CORE).read_text() == "services: {}\n"
    assert not (out / SCRIPT).exists(), "nothing is written when something cannot be"


def test_a_link_is_not_followed(out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file.yml"
    elsewhere.write_text("# Rendered by `lucid deploy render`\n")
    (out / CORE).unlink()
    (out / CORE).symlink_to(elsewhere)
    assert lucid("--out", out).exit_code == 2
    assert elsewhere.read_text() == "# Rendered by `lucid deploy render`\n"


def test_one_target(tmp_path: Path) -> None:
    assert lucid("--target", "swarm", "--out", tmp_path).exit_code == 0
    names = ("folders.sh", "lucid-stack.yml", "networks.sh")
    assert [path for path, _ in contents(tmp_path)] == [f"configs/docker/swarm/{name}" for name in names]


@pytest.mark.parametrize("arguments", [("--out", "/nowhere"), ("--target", "kubernetes"), ("--out", __file__)])
def test_bad_input(arguments: tuple[str, ...]) -> None:
    done = lucid(*arguments)
    assert done.exit_code == 2


def test_a_folder_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "configs").write_text("a file, not a folder")
    done = lucid("--out", tmp_path)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1
