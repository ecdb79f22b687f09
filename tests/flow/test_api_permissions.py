"""The public API from outside: every operation of every service, with every role, through the real door."""

import asyncio
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucid.catalog.services import SERVICES
from lucid.model.permission import ROLE_NAMES, ROLES, Permission, Role
from lucid.ports.access import Door
from lucid.ports.api import NO_PERMISSION, PERMISSION_EXTENSION
from lucid.ports.apicatalog import SIGNED_EXTENSION
from lucid.runtime.platform import Platform
from lucid.runtime.settings import RuntimeSettings
from tests.flow.conftest import FAST_LOG

NO_LIMIT = 1_000_000
UNLIMITED = {
    f"{what}_per_minute_{whose}": NO_LIMIT
    for what, whose in (("requests", "user"), ("requests", "token"), ("requests", "address"), ("logins", "address"))
}
DOCUMENT = "/api/v1/openapi.json"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    settings = RuntimeSettings.load(data_dir=tmp_path / "data")
    overrides: dict[str, Any] = {**FAST_LOG, "api-gateway": UNLIMITED}
    async with Platform(settings, ephemeral=True, overrides=overrides) as running:
        yield running


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the door, which knows all services."""
    expected = {service.name for service in SERVICES if service.api}
    door = platform.port(Door)
    async with httpx.AsyncClient(base_url=(await door.endpoint()).url, trust_env=False) as client:
        while {tag["name"] for tag in (await client.get(DOCUMENT)).json()["tags"]} < expected:
            pass
        yield client


async def login(client: httpx.AsyncClient, name: str, password: str) -> str:
    """An access token. Waits once, as it is told to, when the account had too many attempts of late."""
    answer = await client.post("/api/v1/login", json={"name": name, "password": password})
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        await asyncio.sleep(float(answer.headers["Retry-After"]))
        answer = await client.post("/api/v1/login", json={"name": name, "password": password})
    return str(answer.raise_for_status().json()["access_token"])


def operations(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Method, a path with something for its parameters, and the permission."""
    return [
        (method.upper(), re.sub(r"\{[^}]+\}", "something", path), operation[PERMISSION_EXTENSION])
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if not operation.get("x-websocket")
    ]


async def test_every_operation_is_denied_to_every_role_unless_granted(
    platform: Platform, client: httpx.AsyncClient
) -> None:
    assert platform.administrator_password is not None
    tokens: dict[Role, str] = {"admin": await login(client, "admin", platform.administrator_password.reveal())}
    as_admin = {"Authorization": f"Bearer {tokens['admin']}"}
    for role in set(ROLE_NAMES) - {"admin"}:
        made = await client.post("/api/v1/accounts", json={"name": f"a-{role}", "role": role}, headers=as_admin)
        tokens[role] = await login(client, f"a-{role}", made.raise_for_status().json()["password"])
    found = operations((await client.get(DOCUMENT)).json())
    assert len(found) > 50
    for method, path, permission in found:
        if permission == NO_PERMISSION:
            continue
        bare = await client.request(method, path)
        assert (bare.status_code, bare.headers["content-type"]) == (401, "application/problem+json"), (method, path)
        for role, token in tokens.items():
            granted = Permission(permission) in ROLES[role]
            if granted and method != "GET":
                continue  # it would be done
            answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"})
            if granted:
                assert answer.status_code not in (401, 403), (role, path, answer.text)
                assert answer.status_code < 500, (role, path, answer.text)
            else:
                assert answer.status_code == 403, (role, method, path, answer.text)
                assert permission in answer.json()["detail"]


async def test_only_a_node_s_heartbeat_needs_a_signature_alone(client: httpx.AsyncClient) -> None:
    document = (await client.get(DOCUMENT)).json()
    signed = [
        (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation.get(SIGNED_EXTENSION)
    ]
    assert signed == [("post", "/api/v1/nodes/{name}/heartbeats")]


async def test_no_port_of_a_service_is_reached_through_the_door(platform: Platform, client: httpx.AsyncClient) -> None:
    for service in SERVICES:
        for port in service.provides:
            for path in (
                f"/rpc/{port.__name__}",
                f"/log/../rpc/{port.__name__}",
                f"/api/v1/..%2f..%2frpc/{port.__name__}",
            ):
                assert (await client.post(path, json={})).status_code == 404
    for path in ("/metrics", "/openapi.json", "/docs", "/v1/agent/services"):
        assert (await client.get(path)).status_code == 404


async def test_the_log_is_public(platform: Platform, client: httpx.AsyncClient) -> None:
    key, checkpoint = await client.get("/log/key"), await client.get("/log/checkpoint")
    assert key.status_code == 200
    assert key.text.partition("+")[0] in checkpoint.text
    assert checkpoint.headers["cache-control"] == "no-cache"
