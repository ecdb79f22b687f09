"""What Compose is asked to do, and how images are found for it."""

from pathlib import Path

import pytest
import yaml

from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import images
from lucid.deploy.launch.content import pinning
from lucid.deploy.launch.engine import Command, Engine
from lucid.deploy.launch.phases import up
from lucid.deploy.launch.sets import Image, SetPhase

PHASE = SetPhase(number=1, name="foundation", title="First", containers=("alpha",))


def test_a_phase_is_started_from_its_set() -> None:
    command = up(Path("/sets/3"), (Path("/run/.env.foundation"), Path("/run/.env.core")), PHASE, 5)
    assert command.arguments == (
        *("compose", "--progress", "plain", "-p", "lucid"),
        *("--env-file", "/run/.env.foundation", "--env-file", "/run/.env.core"),
        *("-f", "/sets/3/docker-compose.foundation.yml", "-f", "/sets/3/images.foundation.yml"),
        *("up", "--detach", "--no-build", "--pull", "never"),
    )
    assert command.limit_s == 5


def test_images_are_pinned() -> None:
    class Reset(yaml.SafeLoader):
        """Reads Compose's own tag as nothing."""

    Reset.add_constructor("!reset", lambda *_: None)
    text = pinning(PHASE, {"alpha": Image(name="pickme/alpha:1", id="sha256:" + "a" * 64)}, {"alpha": "1f"})
    (found,) = yaml.load(text, Reset)["services"].values()
    assert found["image"] == "pickme/alpha:set-aaaaaaaaaaaa"
    assert found["depends_on"] is None
    assert found["labels"] == {"org.lucid.secrets": "1f"}


def test_names_of_images_are_filled_in_as_compose_does() -> None:
    usual = images.names(Catalog(), {})
    assert usual["lucid-mongodb"] == "pickme/lucid-mongodb:latest-arm64"
    own = {"LUCID_IMAGE_REGISTRY": "registry:5000/", "LUCID_IMAGE_PREFIX": "l/", "LUCID_IMAGE_TAG": "2"}
    assert images.names(Catalog(), own)["api-gateway"] == "registry:5000/l/api-gateway:2"
    assert images.names(Catalog(), {"LUCID_IMAGE_TAG": ""}) == usual


async def test_the_files_alone_configure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_IMAGE_TAG", "another")
    monkeypatch.setenv("COMPOSE_FILE", "another.yml")
    monkeypatch.setenv("HOME", "/home/somebody")
    done = await Engine("/usr/bin/env").run(Command((), {"COMPOSE_IGNORE_ORPHANS": "true"}))
    said = dict(line.split("=", 1) for line in done.out.splitlines())
    assert "LUCID_IMAGE_TAG" not in said
    assert "COMPOSE_FILE" not in said
    assert (said["HOME"], said["COMPOSE_IGNORE_ORPHANS"]) == ("/home/somebody", "true")


async def test_lines_come_as_they_are_written(tmp_path: Path) -> None:
    script = tmp_path / "docker"
    script.write_text("#!/bin/sh\necho one; echo two >&2; exit 0\n")
    script.chmod(0o755)
    assert [line async for line in Engine(str(script)).lines(Command(()))] == ["one", "two"]
    script.write_text("#!/bin/sh\necho one; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo two\n")
    first, *_, last = [line async for line in Engine(str(script)).lines(Command(()))]
    assert (first, last) == ("one", "two")
