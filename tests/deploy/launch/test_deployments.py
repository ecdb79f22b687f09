"""What an act leaves behind when it cannot be done, or is interrupted. That acts do what they should is for
tests/containers."""

import os
from pathlib import Path

import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import Unavailable
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.deployments import Deployments
from lucid.deploy.launch.durable import write
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import init
from lucid.deploy.launch.record import Act
from lucid.deploy.launch.sets import ENVIRONMENT, Content, Image, SetPhase, State

CATALOG = Catalog(services=(), stores=(), networks=())
PHASE = SetPhase(number=1, name="foundation", title="First", containers=("alpha",))
LOST = {"alpha": Image(name="pickme/alpha:1", id=f"sha256:{1:064}")}


class Killed(BaseException):
    """As by kill -9: nobody catches it."""


class Site:
    """A deployment of nothing, on an engine that has nothing."""

    def __init__(self, folder: Path) -> None:
        docker = self.docker = folder / "docker"
        docker.write_text("#!/bin/sh\necho '[]'; echo 'No such image: it' >&2; exit 1\n")
        docker.chmod(0o755)
        self.place = Place(folder / "deploy", folder / "identity", folder / "run")
        self.opened: list[Path] = []
        self.deployments = Deployments(
            engine=Engine(str(docker)),
            place=self.place,
            catalog=CATALOG,
            opener=self.open,
            show=lambda _: None,
            clock=SystemClock(),
            lucid="1",
        )

    async def open(self, place: Place) -> None:
        self.opened.append(place.deploy_dir)

    def ran(self, content: Content) -> None:
        """As if such a set had run last."""
        sets = self.deployments.sets
        sets.make_current(sets.change(sets.create(content, time=SystemClock().now(), lucid="1"), State.COMPLETE))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_a_rollback_that_cannot_be_leaves_the_secrets_that_are_in_use(site: Site) -> None:
    for _ in range(2):
        site.ran(Content({}, (PHASE,), LOST))
    with pytest.raises(Unavailable, match="the engine has lost the image pickme/alpha:1"):
        await site.deployments.rollback()
    assert site.opened == [site.deployments.sets.folder(1), site.place.deploy_dir]
    assert site.deployments.sets.current() == site.deployments.sets.get(2)


async def test_what_could_not_start_again_is_not_stopped(site: Site) -> None:
    site.ran(Content({}, (PHASE,), LOST))
    for name in (None, "alpha"):
        with pytest.raises(Unavailable, match="lucid deploy unlock"):
            await site.deployments.restart(name)
    for phase in CATALOG.phases:
        write(site.place.unlocked(phase), b"")
    site.docker.write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(Unavailable, match="exit status 7"):
        await site.deployments.restart()


async def test_who_interrupts_the_clearing_up_does_not_keep_a_deployment_from_the_log(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"DATA_ROOT": "data", "LOGS_ROOT": "logs", "SECRETS_DIR": "run/secrets", "PUBLIC_KEYS_DIR": "public"}
    init(site.place, CATALOG, {f"LUCID_{name}": str(tmp_path / folder) for name, folder in folders.items()})

    async def release(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("lucid.deploy.launch.images.release", release)
    with pytest.raises(Killed):
        await site.deployments.up()
    assert site.deployments.sets.current() == site.deployments.sets.get(1)
    (record,) = site.deployments.history.all()
    assert (record.act, record.runs, len(site.deployments.unsaid.all())) == (Act.COMPLETED, 1, 1)


async def test_who_interrupts_the_clearing_up_does_not_keep_a_rollback_from_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (b"one", b"two"):
        site.ran(Content({f"{ENVIRONMENT}/.env.foundation.age": text}, (), {}))

    async def remove_others(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("lucid.deploy.launch.bringup.Bringup.remove_others", remove_others)
    with pytest.raises(Killed):
        await site.deployments.rollback()
    assert site.deployments.sets.current() == site.deployments.sets.get(1)
    (record,) = site.deployments.history.all()
    assert (record.act, record.runs, len(site.deployments.unsaid.all())) == (Act.ROLLED_BACK, 1, 1)


async def test_a_user_without_a_name_has_a_number(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (b"one", b"two"):
        site.ran(Content({f"{ENVIRONMENT}/.env.foundation.age": text}, (), {}))

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", nameless)
    await site.deployments.rollback()
    (record,) = site.deployments.history.all()
    assert record.by == f"uid {os.getuid()}"
