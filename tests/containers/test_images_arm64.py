"""Images for a Raspberry Pi, built here and run under emulation where this machine is no arm64 (scripts/binfmt)."""

import subprocess
from pathlib import Path

import pytest

from lucid.deploy.catalog import Catalog
from lucid.deploy.images.bake import images_of
from lucid.deploy.images.platform import ARM64, checkout
from tests.containers.image_kit import HARDENED, Running, image, inside, inspect, workshop

SERVICES = ("lucid-auth-service", "data-chain", "session-api", "rdp-controller")
STORES = {"redis": "/data", "mongodb": "/data/db"}
"""Not Elasticsearch: its stand-in for arm64 needs a C library that is newer than Debian 12's."""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> None:
    subprocess.run([checkout() / "scripts/binfmt"], check=True)
    made = workshop(tmp_path_factory.mktemp("source"))
    made.build(images_of(Catalog(), (*SERVICES, *STORES)), ARM64, stand_ins=True)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_and_all_that_it_imports_run(name: str) -> None:
    assert inspect(image(name, ARM64))["Architecture"] == "arm64"
    profile = "gateway" if name == "rdp-controller" else "service"
    options = (*HARDENED, "--platform", "linux/arm64")
    check = ("/usr/bin/python3", "-m", "lucid.deploy.images.selfcheck", "once", "--profile", profile)
    done = inside(image(name, ARM64), *check, options=options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "data"), STORES.items())
def test_a_store_becomes_healthy(name: str, data: str, tmp_path: Path) -> None:
    with Running(image(name, ARM64), tmp_path, password=f"{name}-password", data=data) as store:
        store.wait_healthy(120)
