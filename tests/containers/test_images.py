"""Images for this machine's platform, built and run by a real engine."""

from pathlib import Path

import pytest

from lucid.catalog.stores import STORES
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.bake import images_of
from lucid.deploy.images.build import Workshop, local_platform
from lucid.deploy.images.packages import BOOKWORM
from lucid.deploy.images.rootfs import Assembler
from tests.containers.image_kit import HARDENED, Running, image, inside, inspect, workshop

PLATFORM = local_platform()
SERVICES = ("session-api", "session-storage")
ALL = (*SERVICES, "rdp-controller", *(store.name for store in STORES))
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = workshop(tmp_path_factory.mktemp("source"))
    made.build(images_of(Catalog(), ALL), PLATFORM, stand_ins=True)
    return made


def test_the_same_packages_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (Assembler(tmp_path / name, BOOKWORM, PLATFORM).write("base") for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_building_again_gives_the_same_image(built: Workshop) -> None:
    before = inspect(image("session-api", PLATFORM))["Id"]
    built.build(images_of(Catalog(), ["session-api"]), PLATFORM)
    assert inspect(image("session-api", PLATFORM))["Id"] == before


@pytest.mark.parametrize("name", ALL)
def test_no_image_has_a_shell(name: str) -> None:
    for shell in ("sh", "/bin/sh", "/bin/bash", "/usr/bin/dash", "/bin/busybox"):
        done = inside(image(name, PLATFORM), shell, "-c", "echo out", options=())
        assert done.returncode != 0
        assert "no such file" in done.stderr or "executable file not found" in done.stderr


@pytest.mark.parametrize("name", ALL)
def test_images_run_as_nobody_and_know_when_they_are_ready(name: str) -> None:
    config = inspect(image(name, PLATFORM))["Config"]
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "/usr/bin/python3", "-m"]
    assert config["Entrypoint"][0] == "/usr/bin/python3"


def test_services_share_all_layers() -> None:
    one, other = (inspect(image(name, PLATFORM))["RootFS"]["Layers"] for name in SERVICES)
    assert one == other


def test_labels_say_what_an_image_is() -> None:
    labels = inspect(image("session-api", PLATFORM))["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "session-api"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert "org.lucid.stand-in" not in labels
    assert inspect(image("mongodb", PLATFORM))["Config"]["Labels"]["org.lucid.stand-in"] == "true"


@pytest.mark.parametrize(("name", "profile"), [("session-api", "service"), ("rdp-controller", "gateway")])
def test_an_image_keeps_what_it_promises(name: str, profile: str) -> None:
    check = ("/usr/bin/python3", "-m", "lucid.deploy.images.selfcheck", "once", "--profile", profile)
    done = inside(image(name, PLATFORM), *check, options=HARDENED)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "data"),
    [("redis", "/data"), ("mongodb", "/data/db"), ("elasticsearch", "/usr/share/elasticsearch/data")],
)
def test_a_store_asks_for_its_password_and_shows_it_nowhere(name: str, data: str, tmp_path: Path) -> None:
    with Running(image(name, PLATFORM), tmp_path, password=f"{name}-password", data=data) as store:
        store.wait_healthy(60)
        assert "s3cret" not in store.processes()
        assert "s3cret" not in str(store.facts)
        unlocked = (
            f"import lucid.deploy.storehost.{name} as s; s.password = lambda _: 'another'; "
            "import sys; sys.exit(bool(s.probe()))"
        )
        assert store.execute("/usr/bin/python3", "-c", unlocked).returncode == 1
