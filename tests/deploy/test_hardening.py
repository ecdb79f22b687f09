"""What a container may do, and which secrets it is given."""

from typing import Any

import pytest

from lucid.catalog.types import Private
from lucid.deploy.catalog import Catalog

OWN_SECRETS = {"metrics-token", "mesh-token"}
ROOT_EXCEPTION = "rdp-xrdp"


@pytest.fixture(scope="module")
def services(documents: dict[str, Any]) -> dict[str, Any]:
    return dict(documents["configs/docker/docker-compose.all.yml"]["services"])


def test_every_container_is_hardened(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["ipc"] == "private"
        assert service["init"] is True
        assert service["restart"] == "unless-stopped"
        assert service["memswap_limit"] == service["mem_limit"], "a container does not swap"
        assert service["pids_limit"] > 0
        assert service["logging"]["driver"] == "json-file"
        assert {"max-size", "max-file"} <= set(service["logging"]["options"])
        assert service["ulimits"]["core"] == 0, "a core dump holds keys"
        assert not {"privileged", "network_mode", "pid", "devices"} & set(service)
        if name != ROOT_EXCEPTION:
            assert service["user"] == "65532:65532"
            assert service["read_only"] is True
            assert "cap_add" not in service
        for folder in service["tmpfs"]:
            assert {"noexec", "nosuid", "nodev"} <= set(folder.partition(":")[2].split(","))
            assert "size=" in folder


def test_the_exception_gives_its_reason(services: dict[str, Any], files: dict[str, str]) -> None:
    service = services[ROOT_EXCEPTION]
    assert (service["user"], service["read_only"]) == ("0:0", False)
    assert "SYS_ADMIN" not in service["cap_add"]
    text = files["configs/docker/docker-compose.application.yml"]
    assert "    # Exception: each desktop is a Unix account" in text


def test_docker_s_own_seccomp_profile_is_the_default(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["security_opt"][1] == "${LUCID_SECCOMP:+seccomp=}${LUCID_SECCOMP:-no-new-privileges}"


def test_a_name_that_nobody_answers_for_holds_nothing_up(services: dict[str, Any], catalog: Catalog) -> None:
    """A name server that is away costs a stop no more than its grace period, and others' look-ups no thread."""
    for declared in catalog.services:
        environment = services[declared.name]["environment"]
        options = dict(option.split(":") for option in environment["RES_OPTIONS"].split())
        grace_s = float(services[declared.name]["stop_grace_period"].removesuffix("s"))
        assert int(options["timeout"]) * int(options["attempts"]) < grace_s
        assert int(environment["UV_THREADPOOL_SIZE"]) > 4, "libuv's own figure"
        assert float(environment["LUCID_STOP_S"]) < grace_s


def test_nothing_secret_in_the_environment(services: dict[str, Any], catalog: Catalog) -> None:
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            secret = any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "_URI", "REDIS_URL"))
            if secret and value is not None:
                assert name.endswith("_FILE")
                assert value.startswith("/run/secrets/")
    for declared in catalog.services:
        assert not {f"{declared.environment_prefix}{field}".upper() for field in declared.keys} & set(
            services[declared.name]["environment"]
        )


def test_each_service_gets_the_secrets_that_it_needs_and_no_other(
    services: dict[str, Any], documents: dict[str, Any], catalog: Catalog
) -> None:
    declared = {service.name: service for service in catalog.services}
    by_port = {"Documents": "mongodb-uri", "Bus": "redis-url", "SearchIndex": "elasticsearch-password"}
    for name, service in services.items():
        got = {secret if isinstance(secret, str) else secret["source"] for secret in service["secrets"]}
        own = {
            password.name for piece in catalog.pieces if piece.name == name for password in piece.container.passwords
        }
        if name in declared:
            keys = {source.key.name for source in declared[name].keys.values() if isinstance(source, Private)}
            stores = {by_port[port.__name__] for port in declared[name].needs if port.__name__ in by_port}
            own |= keys | stores | OWN_SECRETS | {f"identity-{name}"}
        assert got == own, name
        for secret in service["secrets"]:
            if not isinstance(secret, str):
                key = secret["source"].replace("identity-", "identities/", 1)
                assert (
                    secret["target"] == f"/run/lucid/keys/{key if key.startswith('identities/') else secret['source']}"
                )
    sources = documents["configs/docker/docker-compose.all.yml"]["secrets"]
    assert all(source["file"].startswith("${LUCID_SECRETS_DIR:-/run/lucid/secrets}/") for source in sources.values())
    assert sources["log-key"] == {"file": "${LUCID_SECRETS_DIR:-/run/lucid/secrets}/keys/log-key"}
    assert sources["identity-api-gateway"]["file"].endswith("/keys/identities/api-gateway")


def test_the_key_of_the_log_is_in_one_container(services: dict[str, Any]) -> None:
    holders = [
        name
        for name, service in services.items()
        if any(not isinstance(secret, str) and secret["source"] == "log-key" for secret in service["secrets"])
    ]
    assert holders == ["blockchain-engine"]


def test_services_are_told_where_the_stores_are_only_if_they_need_them(services: dict[str, Any]) -> None:
    for service in services.values():
        environment = service.get("environment", {})
        for variable, secret in (
            ("LUCID_MONGODB_URI_FILE", "mongodb-uri"),
            ("LUCID_REDIS_URL_FILE", "redis-url"),
            ("LUCID_ELASTICSEARCH_PASSWORD_FILE", "elasticsearch-password"),
        ):
            if variable in environment:
                assert secret in service["secrets"]
                assert environment[variable] == f"/run/secrets/{secret}"
