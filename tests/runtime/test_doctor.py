"""Checks of the machine, where something else than a fresh folder is found."""

import os
from pathlib import Path

import pytest

from lucid.runtime.client import write_deployment
from lucid.runtime.doctor import Finding, examine
from lucid.runtime.paths import DataDir


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.create()
    return made


def found(data: DataDir, check: str) -> Finding:
    (finding,) = (finding for finding in examine(data) if finding.check == check)
    return finding


def test_the_data_of_a_deployment(data: DataDir) -> None:
    write_deployment(data, docker="docker", network="net", keys_dir=Path("/keys"), public_keys_dir=Path("/public"))
    assert found(data, "Platform") == Finding("Platform", "ok", "runs in containers: see lucid deploy status")


def test_a_platform_that_runs_and_one_of_which_nothing_is_left(data: DataDir) -> None:
    data.announce({"pid": os.getpid(), "urls": {}})
    assert found(data, "Platform").found == "is running"
    for text in ("", '{"pid": '):
        data.run_file.write_text(text)
        assert found(data, "Ports").outcome in {"ok", "missing"}


def test_what_another_user_runs_is_not_looked_into(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert found(data, "Ports").outcome in {"ok", "missing"}


@pytest.mark.parametrize("text", ["abc", "65536", "-1", "9" * 5000, "٢٢"])
def test_what_is_no_port_is_named(data: DataDir, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LUCID_RDP_CONTROLLER_RDP_PORT", text)
    finding = found(data, "Ports")
    assert finding.outcome == "missing"
    assert finding.found.startswith("LUCID_RDP_CONTROLLER_RDP_PORT: expected a port, 0 to 65535, not ")


def test_who_reads_while_it_is_announced_anew_finds_all_of_it(data: DataDir) -> None:
    data.announce({"pid": 1, "urls": {"a": "http://127.0.0.1:1"}})
    with data.run_file.open() as reading:
        write_deployment(data, docker="docker", network="net", keys_dir=Path("/keys"), public_keys_dir=Path("/public"))
        assert "http://127.0.0.1:1" in reading.read()
    assert data.announced() == {"docker": "docker", "network": "net", "keys_dir": "/keys", "public_keys_dir": "/public"}
