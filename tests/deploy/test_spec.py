"""The rows of the deployment's spec against the rendered files: services, ports, networks, images, environment files.

The numbers in the names of the tests' tables are the spec's sections; where the files differ on purpose,
docs/deployment.md says why.
"""

from typing import Any

import pytest

PI, TRON = "lucid-pi-network", "lucid-tron-isolated"
PLANNED = {
    "admin-interface",
    "tron-client",
    "tron-payout-router",
    "tron-wallet-manager",
    "tron-usdt-manager",
    "tron-staking",
    "tron-payment-gateway",
}
"""Of phase 4: each comes with the feature that it is for."""

PHASES = {
    "foundation": {"lucid-mongodb", "lucid-redis", "lucid-elasticsearch", "lucid-auth-service"},
    "core": {"api-gateway", "blockchain-engine", "service-mesh", "session-anchoring", "block-manager", "data-chain"},
    "application": {
        "session-pipeline",
        "session-recorder",
        "session-processor",
        "session-storage",
        "session-api",
        "rdp-server-manager",
        "rdp-xrdp",
        "rdp-controller",
        "rdp-monitor",
        "node-management",
    },
    "support": PLANNED,
}
PORTS = {
    "lucid-auth-service": "8089",
    "blockchain-engine": "8084",
    "service-mesh": "8500",
    "session-anchoring": "8086",
    "block-manager": "8087",
    "data-chain": "8088",
}
EXTERNAL = {"lucid-mongodb": 27017, "lucid-redis": 6379, "api-gateway": 8080, "lucid-auth-service": 8089}
NETWORKS = {
    PI: ("172.20.0.0/16", "172.20.0.1"),
    TRON: ("172.21.0.0/16", "172.21.0.1"),
    "lucid-gui-network": ("172.22.0.0/16", "172.22.0.1"),
    "lucid-distroless-production": ("172.23.0.0/16", "172.23.0.1"),
    "lucid-distroless-dev": ("172.24.0.0/16", "172.24.0.1"),
    "lucid-multi-stage-network": ("172.25.0.0/16", "172.25.0.1"),
}
STORES = ["lucid-mongodb", "lucid-redis"]
SESSIONS = [*STORES, "lucid-elasticsearch", "api-gateway"]
RDP = [*STORES, "api-gateway", "lucid-auth-service"]
DEPENDENCIES = {
    "lucid-redis": ["lucid-mongodb"],
    "lucid-elasticsearch": ["lucid-redis"],
    "lucid-auth-service": ["lucid-elasticsearch"],
    "api-gateway": [*STORES, "lucid-auth-service"],
    "blockchain-engine": STORES,
    "service-mesh": STORES,
    "session-anchoring": [*STORES, "blockchain-engine"],
    "block-manager": [*STORES, "blockchain-engine"],
    "data-chain": [*STORES, "blockchain-engine"],
    **dict.fromkeys(
        ["session-pipeline", "session-recorder", "session-processor", "session-storage", "session-api"], SESSIONS
    ),
    **dict.fromkeys(["rdp-server-manager", "rdp-xrdp", "rdp-controller", "rdp-monitor"], RDP),
    "node-management": [*STORES, "api-gateway", "blockchain-engine"],
}


def compose(name: str) -> str:
    return f"configs/docker/docker-compose.{name}.yml"


@pytest.fixture(scope="module")
def services(documents: dict[str, Any]) -> dict[str, Any]:
    return dict(documents[compose("all")]["services"])


@pytest.mark.parametrize("phase", PHASES)
def test_services_of_each_phase(documents: dict[str, Any], phase: str) -> None:
    assert set(documents[compose(phase)]["services"]) | PLANNED == PHASES[phase] | PLANNED


def test_the_master_file_has_all_phases(documents: dict[str, Any], services: dict[str, Any]) -> None:
    assert set(services) | PLANNED == set().union(*PHASES.values())
    assert len(set(services) | PLANNED) == 27
    for phase in PHASES:
        for name, service in documents[compose(phase)]["services"].items():
            assert {**service, "depends_on": None} == {**services[name], "depends_on": None}


@pytest.mark.parametrize(("service", "port"), PORTS.items())
def test_ports_inside(services: dict[str, Any], service: str, port: str) -> None:
    assert services[service]["environment"]["LUCID_HTTP_PORT"] == port


def test_the_ports_that_the_host_offers(services: dict[str, Any]) -> None:
    offered = {
        name: [(port["target"], port["published"], port["host_ip"]) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }
    everybody, this_host = "${LUCID_BIND_PUBLIC:-0.0.0.0}", "${LUCID_BIND_DATA:-127.0.0.1}"
    assert offered == {
        "lucid-mongodb": [(27017, "${LUCID_MONGODB_PORT:-27017}", this_host)],
        "lucid-redis": [(6379, "${LUCID_REDIS_PORT:-6379}", this_host)],
        "api-gateway": [(8080, "${LUCID_API_GATEWAY_PORT:-8080}", everybody)],
        "lucid-auth-service": [(8089, "${LUCID_AUTH_SERVICE_PORT:-8089}", everybody)],
        "rdp-controller": [(3389, "${LUCID_RDP_CONTROLLER_PORT:-3389}", everybody)],
    }
    assert {name: ports[0][0] for name, ports in offered.items() if name in EXTERNAL} == EXTERNAL


def test_networks(services: dict[str, Any], documents: dict[str, Any]) -> None:
    on_both = {name for name, service in services.items() if set(service["networks"]) == {PI, TRON}}
    assert on_both == {"lucid-mongodb", "lucid-redis"}
    assert all(service["networks"] == [PI] for name, service in services.items() if name not in on_both)
    assert documents[compose("all")]["networks"] == {PI: {"external": True}, TRON: {"external": True}}


@pytest.mark.parametrize(("network", "addresses"), NETWORKS.items())
def test_the_networks_are_made_as_the_spec_says(
    files: dict[str, str], network: str, addresses: tuple[str, str]
) -> None:
    subnet, gateway = addresses
    script = files["configs/docker/networks.sh"]
    (call,) = [call for call in script.split("\n\n") if f"\nnetwork {network} {subnet} " in f"\n{call}"]
    assert f"--gateway {gateway} " in call
    assert "--attachable" in call
    assert "driver.mtu=1500" in call
    assert "enable_icc=true" in call
    isolated = network == TRON
    assert ("--internal" in call) == isolated
    assert ("enable_ip_masquerade=true" in call) != isolated
    assert ("host_binding_ipv4=0.0.0.0" in call) != isolated


def test_images(services: dict[str, Any]) -> None:
    for name, service in services.items():
        image = "${LUCID_IMAGE_REGISTRY:-}${LUCID_IMAGE_PREFIX:-pickme/lucid-}%s:${LUCID_IMAGE_TAG:-latest-arm64}"
        assert service["image"] == image % name.removeprefix("lucid-")
        assert service["container_name"] == name
        assert service["platform"] == "${LUCID_PLATFORM:-linux/arm64}"


@pytest.mark.parametrize(("service", "before"), DEPENDENCIES.items())
def test_dependencies(services: dict[str, Any], service: str, before: list[str]) -> None:
    assert set(before) <= set(services[service]["depends_on"])


def test_what_waits_for_health_and_what_cannot(services: dict[str, Any]) -> None:
    """The engine keeps its blocks in the block-manager: that one can but wait until the engine is started."""
    started = [
        (name, other)
        for name, service in services.items()
        for other, how in service.get("depends_on", {}).items()
        if how != {"condition": "service_healthy"}
    ]
    assert started == [("block-manager", "blockchain-engine")]


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_waits_only_for_its_own(documents: dict[str, Any], phase: str) -> None:
    services = documents[compose(phase)]["services"]
    assert documents[compose(phase)]["name"] == "lucid"
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)


def test_volumes(services: dict[str, Any]) -> None:
    data, logs = "${LUCID_DATA_ROOT:-/mnt/myssd/Lucid/data}", "${LUCID_LOGS_ROOT:-/mnt/myssd/Lucid/logs}"
    for name, service in services.items():
        writable = {volume["source"]: volume["target"] for volume in service["volumes"] if not volume.get("read_only")}
        assert writable[f"{logs}/{name}"] == "/logs"
        assert set(writable) <= {f"{logs}/{name}", f"{data}/{name}"}
        assert not any(volume["bind"]["create_host_path"] for volume in service["volumes"])
    kept = {name for name, service in services.items() if any(data in each["source"] for each in service["volumes"])}
    assert {*STORES, "lucid-elasticsearch", "session-storage", "session-recorder", "block-manager"} <= kept


def test_health_checks(services: dict[str, Any]) -> None:
    for name, service in services.items():
        health = service["healthcheck"]
        assert (health["interval"], health["timeout"], health["retries"]) == ("30s", "10s", 3)
        assert health["start_period"] in {"40s", "60s"}
        assert health["start_interval"] == "1s"
        if service.get("command") == [name]:
            assert health["test"] == ["CMD", "/usr/bin/python3", "-m", "lucid.healthcheck"]


@pytest.mark.parametrize("phase", PHASES)
def test_commands_name_the_environment_files_of_all_phases_so_far(files: dict[str, str], phase: str) -> None:
    so_far = list(PHASES)[: list(PHASES).index(phase) + 1]
    given = " ".join(f"--env-file configs/environment/.env.{name}" for name in so_far)
    assert f"docker-compose {given} -f {compose(phase)} up -d" in files[compose(phase)]
    assert f"configs/environment/.env.{phase}" in files
    if phase == "support":
        assert f"docker-compose {given} -f {compose('all')} up -d" in files[compose("all")]
