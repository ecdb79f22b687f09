"""What is asked of an engine, and what is made of its answers. Engines are scripts here."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lucid.base.errors import Unavailable
from lucid.catalog.networks import NETWORKS
from lucid.deploy.launch import images
from lucid.deploy.launch.condition import look
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.networks import make_networks
from lucid.deploy.launch.phases import remove
from lucid.deploy.launch.sets import Image

IMAGE = Image(name="pickme/alpha:1", id=f"sha256:{1:064}")


@pytest.fixture
def engine(tmp_path: Path) -> Callable[[str, str], Engine]:
    def make(said: str, complaint: str) -> Engine:
        """One that writes this for every command, and fails."""
        script = tmp_path / "docker"
        script.write_text(f"#!/bin/sh\ncat <<END\n{said}\nEND\ncat >&2 <<END\n{complaint}\nEND\nexit 1\n")
        script.chmod(0o755)
        return Engine(str(script))

    return make


@pytest.mark.parametrize(
    "asked",
    [
        lambda engine: look(engine, ["alpha"]),
        lambda engine: remove(engine, [["alpha"]]),
        lambda engine: make_networks(engine, NETWORKS, lambda _: None),
        lambda engine: images.hold(engine, [IMAGE]),
    ],
    ids=["look", "remove", "make_networks", "hold"],
)
async def test_what_an_engine_that_is_away_does_not_tell_of_is_not_taken_for_gone(
    engine: Callable[[str, str], Engine], asked: Callable[[Engine], Awaitable[object]]
) -> None:
    with pytest.raises(Unavailable, match="inspect: Cannot connect"):
        await asked(engine("[]", "Cannot connect to the Docker daemon at unix:///run/docker.sock."))


async def test_what_is_said_to_be_missing_is_missing(engine: Callable[[str, str], Engine]) -> None:
    told = engine('[{"Name": "a"}]', "Error response from daemon: network b not found\nError: No such object: c")
    assert await told.inspect("network", ["a", "b", "c"]) == [{"Name": "a"}]
    with pytest.raises(Unavailable, match="No such object: c"):
        await told.inspect("network", ["a", "b", "c", "d"])


@pytest.mark.parametrize(
    ("variables", "local"),
    [
        ({}, True),
        ({"DOCKER_HOST": "unix:///var/run/docker.sock"}, True),
        ({"DOCKER_CONTEXT": "default"}, True),
        ({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}, False),
        ({"DOCKER_HOST": "tcp://pi:2376"}, False),
        ({"DOCKER_CONTEXT": "pi"}, False),
    ],
)
def test_docker_s_usual_socket_is_this_machine_s_however_it_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], local: bool
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Engine("docker").is_local is local
    assert not Engine("docker", ("--context", "pi")).is_local


async def test_nothing_is_asked_about_nothing() -> None:
    assert await Engine("/nonexistent").inspect("container", []) == []
