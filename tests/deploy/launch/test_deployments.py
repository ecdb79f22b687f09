"""What an act leaves behind when it cannot be done. That they do what they should is for tests/containers."""

from pathlib import Path

import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import Unavailable
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.deployments import Deployments
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.sets import Content, Image, SetPhase, State

PHASE = SetPhase(number=1, name="foundation", title="First", containers=("alpha",))
CONTENT = Content({}, (PHASE,), {"alpha": Image(name="pickme/alpha:1", id=f"sha256:{1:064}")})


async def test_a_rollback_that_cannot_be_leaves_the_secrets_that_are_in_use(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho '[]'; echo 'No such image: it' >&2; exit 1\n")
    docker.chmod(0o755)
    place, opened = Place(tmp_path / "deploy", tmp_path / "identity", tmp_path / "run"), list[Path]()

    async def opener(there: Place) -> None:
        opened.append(there.deploy_dir)

    deployments = Deployments(
        engine=Engine(str(docker)),
        place=place,
        catalog=Catalog(services=(), stores=()),
        opener=opener,
        show=lambda _: None,
        clock=SystemClock(),
        lucid="1",
    )
    for _ in range(2):
        made = deployments.sets.create(CONTENT, time=SystemClock().now(), lucid="1")
        deployments.sets.make_current(deployments.sets.change(made, State.COMPLETE))
    with pytest.raises(Unavailable, match="the engine has lost the image pickme/alpha:1"):
        await deployments.rollback()
    assert opened == [deployments.sets.folder(1), place.deploy_dir]
    assert deployments.sets.current() == deployments.sets.get(2)
