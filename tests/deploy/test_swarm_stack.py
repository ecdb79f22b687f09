"""The Swarm stack: what Compose has, in the words of Swarm."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lucid.deploy.catalog import Catalog
from lucid.deploy.machines import FOLDERS, NETWORKS
from lucid.deploy.registry import render
from lucid.deploy.swarm import STACK


@pytest.fixture(scope="module")
def stack(documents: dict[str, Any]) -> dict[str, Any]:
    return dict(documents[STACK])


@pytest.fixture(scope="module")
def composed(documents: dict[str, Any]) -> dict[str, Any]:
    return dict(documents["configs/docker/docker-compose.all.yml"]["services"])


def test_the_same_containers(stack: dict[str, Any], composed: dict[str, Any]) -> None:
    assert list(stack["services"]) == list(composed)
    for name, service in stack["services"].items():
        same = (
            "image",
            "environment",
            "networks",
            "user",
            "read_only",
            "cap_drop",
            "cap_add",
            "healthcheck",
            "command",
        )
        for key in same:
            assert service.get(key) == composed[name].get(key), f"{name}: {key}"
        limits = service["deploy"]["resources"]["limits"]
        assert (limits["memory"], limits["cpus"]) == (composed[name]["mem_limit"], composed[name]["cpus"])
        assert limits["pids"] == composed[name]["pids_limit"]


def test_no_load_balancer_and_no_routing_mesh(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        assert service["deploy"]["endpoint_mode"] == "dnsrr"
        assert all(port["mode"] == "host" for port in service.get("ports", []))


def test_the_stores_are_not_published(stack: dict[str, Any]) -> None:
    published = {name for name, service in stack["services"].items() if "ports" in service}
    assert published == {"lucid-auth-service", "api-gateway", "rdp-controller"}


def test_a_service_that_does_not_become_healthy_is_taken_back(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        update = service["deploy"]["update_config"]
        assert (update["failure_action"], update["order"]) == ("rollback", "stop-first")
        health = service["healthcheck"]
        assert seconds(update["monitor"]) > health["retries"] * seconds(health["interval"])


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def test_data_stays_on_one_machine(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        (constraint,) = service["deploy"]["placement"]["constraints"]
        data = any("LUCID_DATA_ROOT" in str(volume.get("source")) for volume in service["volumes"])
        assert constraint == ("node.labels.lucid.data == true" if data else "node.labels.lucid.node == true")


def test_secrets_are_of_the_container_s_user(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        uid = service["user"].partition(":")[0]
        for secret in service["secrets"]:
            assert (secret["mode"], secret["uid"]) == (0o400, uid)
            assert secret["source"] in stack["secrets"]
    assert all("${LUCID_SECRETS_VERSION:-1}" in secret["name"] for secret in stack["secrets"].values())


def test_networks_are_made_beforehand(stack: dict[str, Any]) -> None:
    """An option of a stack's network cannot be left out by a variable, and the encryption's value has no effect."""
    assert all(network["external"] is True for network in stack["networks"].values())
    assert {name for service in stack["services"].values() for name in service["networks"]} == set(stack["networks"])


def test_docker_reads_it(files: dict[str, str], docker: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.yml"
    path.write_text(files[STACK])
    done = subprocess.run([docker, "stack", "config", "-c", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_targets_are_apart(catalog: Catalog, files: dict[str, str]) -> None:
    assert set(render(catalog, target="swarm")) == {STACK, NETWORKS, FOLDERS}
    assert STACK not in render(catalog, target="compose")
    assert {*render(catalog, target="swarm"), *render(catalog, target="compose")} == set(files)


def test_what_swarm_ignores_is_stated(files: dict[str, str]) -> None:
    head = files[STACK].partition("\nx-container")[0]
    for option in ("security_opt", "ipc", "depends_on", "memswap_limit"):
        assert option in head
