"""`lucid deploy preflight` on a deployment, and an engine that answers as it is told."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lucid.base.errors import Unavailable
from lucid.catalog.stores import STORES
from lucid.catalog.types import Container
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import preparing
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.fitness import Check
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preflight import preflight

REDIS = next(store for store in STORES if store.name == "lucid-redis")
CATALOG = Catalog(services=(), stores=(replace(REDIS, container=Container(passwords=REDIS.container.passwords)),))
IMAGE = {"Id": f"sha256:{1:064}", "RepoTags": ["pickme/lucid-redis:latest-arm64"], "Architecture": "arm64"}
INFO = {"ServerVersion": "26.1.5+dfsg1", "Architecture": "aarch64", "MemTotal": 8 << 30}
BRIDGE = {"Name": "bridge", "Id": "b" * 64, "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}
ANSWERS: dict[str, tuple[int, str]] = {
    "info": (0, json.dumps(INFO)),
    "compose version": (0, "2.26.1-4\n"),
    "network ls": (0, "b\n"),
    "network inspect": (0, json.dumps([BRIDGE])),
    "image inspect": (0, json.dumps([IMAGE])),
    "ps": (0, "other\t0.0.0.0:80->80/tcp\nquiet\t\n"),
}

DOCKER = """\
#!/bin/sh
# Answers by its first words after those of an engine elsewhere, from the files beside it.
if [ "$1" = --context ]; then shift 2; fi
for words in "$1 $2" "$1"; do
    if [ -f "{folder}/$words" ]; then cat "{folder}/$words"; exit "$(cat "{folder}/$words.status")"; fi
done
echo "no such command: $*" >&2
exit 1
"""


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine that the tests run on is in the way."""
    monkeypatch.setattr("lucid.deploy.launch.preflight.routes", list)
    monkeypatch.setattr("lucid.deploy.launch.fitness.FREE_BYTES", 0)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "deploy", tmp_path / "identity", tmp_path / "run")
    folders = {"DATA_ROOT": "data", "LOGS_ROOT": "logs", "PUBLIC_KEYS_DIR": "public", "SECRETS_DIR": "run/secrets"}
    preparing.init(made, CATALOG, {f"LUCID_{name}": str(tmp_path / folder) for name, folder in folders.items()})
    return made


async def checks(place: Place, where: tuple[str, ...] = (), **answers: tuple[int, Any]) -> dict[str, Check]:
    """By name; `answers` are of commands whose words stand with `_` between them."""
    folder = place.deploy_dir.parent / "docker"
    folder.mkdir(exist_ok=True)
    for words, (status, said) in (ANSWERS | {name.replace("_", " "): said for name, said in answers.items()}).items():
        (folder / words).write_text(said if isinstance(said, str) else json.dumps(said))
        (folder / f"{words}.status").write_text(str(status))
    docker = folder / "docker"
    docker.write_text(DOCKER.format(folder=folder))
    docker.chmod(0o755)
    return {check.name: check for check in await preflight(place, Engine(str(docker), where), CATALOG)}


async def test_all_is_well(place: Place) -> None:
    found = await checks(place)
    assert not [check for check in found.values() if check.state == "failed"]
    asked = {"engine", "compose", "secrets", "subnets", "architecture", "images", "memory", "disk", "SSD", "ports"}
    assert found.keys() >= asked | {"clock"}
    assert ("folders" in found) is (os.geteuid() == 0)


@pytest.mark.parametrize(
    ("name", "answers", "detail", "remedy"),
    [
        ("engine", {"info": (0, {**INFO, "ServerVersion": "24.0.7"})}, "Docker 24.0.7", "install Docker 25"),
        ("compose", {"compose_version": (0, "2.17.3")}, "Compose 2.17.3", "install Compose 2.20"),
        (
            "architecture",
            {"info": (0, {**INFO, "Architecture": "x86_64"})},
            "the engine's machine is amd64, the images are for arm64",
            "lucid deploy configure LUCID_PLATFORM=linux/amd64",
        ),
        (
            "images",
            {"image_inspect": (0, [{**IMAGE, "Architecture": "amd64"}])},
            "pickme/lucid-redis:latest-arm64 is for amd64, not for arm64",
            "lucid images build --platform linux/arm64",
        ),
        ("subnets", {"network_inspect": (0, [{**BRIDGE, "IPAM": {"Config": [{"Subnet": "172.20.0.0/24"}]}}])}, "", ""),
    ],
)
async def test_what_is_not_as_it_should_be(
    place: Place, name: str, answers: dict[str, Any], detail: str, remedy: str
) -> None:
    found = (await checks(place, **answers))[name]
    assert found.state == "failed"
    assert detail in found.detail
    assert remedy in found.remedy


async def test_little_memory_is_a_warning(place: Place) -> None:
    assert (await checks(place, info=(0, {**INFO, "MemTotal": 512 << 20})))["memory"].state == "warning"


async def test_an_image_that_is_not_there(place: Place) -> None:
    found = (await checks(place, image_inspect=(1, "[]")))["images"]
    assert found.state == "failed"


@pytest.mark.parametrize("how", ["missing", "readable", "of another"])
async def test_secrets_that_are_not_right(place: Place, how: str) -> None:
    path = place.secrets / "redis-password"
    match how:
        case "missing":
            path.unlink()
        case "readable":
            path.chmod(0o444)
        case _:
            if os.geteuid() != 0:
                pytest.skip("only root gives files away")
            os.chown(path, 1000, 1000)
    found = (await checks(place))["secrets"]
    assert (found.state, found.remedy) == ("failed", "lucid deploy unlock")
    assert str(path) in found.detail
    preparing.unlock(place, CATALOG)
    assert (await checks(place))["secrets"].state == "ok", "that is what helps"


async def test_before_it_is_unlocked(place: Place) -> None:
    preparing.lock(place, CATALOG)
    found = await checks(place)
    assert found["secrets"].state == "failed"
    assert "images" not in found, "nobody knows yet which"


async def test_before_there_is_a_deployment(tmp_path: Path) -> None:
    found = await checks(Place(tmp_path / "deploy", tmp_path / "identity", tmp_path / "run"))
    assert (found["secrets"].state, found["secrets"].remedy) == ("failed", "lucid deploy init")


async def test_a_setting_that_cannot_be(place: Place) -> None:
    """Written by hand; it is named, and the rest is asked with its default."""
    path = place.environment_files(CATALOG)[0]
    path.write_text(path.read_text().replace("LUCID_REDIS_MEMORY=128m", "LUCID_REDIS_MEMORY=lots"))
    found = await checks(place)
    assert found["settings"].detail.startswith("LUCID_REDIS_MEMORY: expected memory")
    assert "128 MiB" in found["memory"].detail


async def test_another_machine_is_not_judged_by_this_one(place: Place) -> None:
    found = await checks(place, ("--context", "pi"))
    assert found.keys() == {"engine", "compose", "secrets", "subnets", "architecture", "images", "memory"}


async def test_an_engine_that_does_not_answer(place: Place) -> None:
    with pytest.raises(Unavailable, match="docker info"):
        await checks(place, info=(1, ""))
