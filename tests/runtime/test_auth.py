"""Who may call what: by signed identity and the catalog, nobody else."""

from collections.abc import AsyncIterator
from typing import Protocol

import httpx
import pytest
from fastapi import APIRouter
from starlette.applications import Starlette

from lucid.model.permission import Permission
from lucid.ports.api import PUBLIC, Caller, requires
from lucid.ports.service import App
from lucid.runtime.host import http_app
from tests import guards
from tests.asking import person
from tests.clocks import TurnedClock


class Safe(Protocol):
    async def look(self) -> int: ...


class Another(Protocol):
    async def look(self) -> int: ...


class Full:
    async def look(self) -> int:
        return 7


CLOCK = TurnedClock()
GATEWAY, CLERK, STRANGER = (guards.CallerOf(name, CLOCK) for name in ("api-gateway", "clerk", "stranger"))
BANK = guards.service("bank", provides=(Safe,), api=("/api/v1/safe",))


def bank_app() -> Starlette:
    router = APIRouter()

    @router.get("/api/v1/safe/open", **requires(Permission.HOSTS_MANAGE))
    async def open_it(principal: Caller) -> str:
        return principal.user

    @router.get("/api/v1/safe/hours", **PUBLIC)
    async def hours() -> str:
        return "9 to 5"

    guard = guards.guard(BANK, CLERK, needs=Safe, clock=CLOCK)
    others = guards.guard(BANK, CLERK, STRANGER, GATEWAY, needs=Another, clock=CLOCK)
    guard._verifier = others._verifier  # it knows the keys of all three, though only the clerk needs the port
    return http_app(BANK, App(provides={Safe: Full()}, api=router), guard)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bank_app()), base_url="http://bank") as http:
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def look(http: httpx.AsyncClient, token: str) -> int:
    return (await http.post("/rpc/Safe/look", headers=bearer(token))).status_code


async def test_who_needs_a_port_may_call_it(http: httpx.AsyncClient) -> None:
    assert await look(http, CLERK.token("bank").reveal()) == 200
    assert await look(http, STRANGER.token("bank").reveal()) == 403
    assert await look(http, GATEWAY.token("bank").reveal()) == 403


async def test_a_token_is_for_one_service_and_a_minute(http: httpx.AsyncClient) -> None:
    assert await look(http, CLERK.token("another").reveal()) == 401
    token = CLERK.token("bank").reveal()
    CLOCK.advance(120)
    assert await look(http, token) == 401
    assert await look(http, CLERK.token("bank").reveal()) == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic token", "token", "Bearer töken", "Bearer a.b.c"])
async def test_without_a_token_nobody_is_let_in(http: httpx.AsyncClient, header: str) -> None:
    answer = await http.post("/rpc/Safe/look", headers={b"Authorization": header.encode()})
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:lucid:error:unauthenticated")


async def test_the_gateway_speaks_for_people(http: httpx.AsyncClient) -> None:
    def asked(user: str | None, role: str = "user") -> dict[str, str]:
        return bearer(GATEWAY.token("bank", person(user, role) if user else None).reveal())  # type: ignore[arg-type]

    assert (await http.get("/api/v1/safe/open", headers=asked("root", "admin"))).json() == "root"
    assert (await http.get("/api/v1/safe/open", headers=asked("ada"))).status_code == 403
    assert (await http.get("/api/v1/safe/open", headers=asked(None))).status_code == 401
    assert (await http.get("/api/v1/safe/hours", headers=asked(None))).json() == "9 to 5"


async def test_nobody_else_speaks_for_people(http: httpx.AsyncClient) -> None:
    for caller in (CLERK, STRANGER):
        for principal in (None, person("root", "admin")):
            answer = await http.get("/api/v1/safe/open", headers=bearer(caller.token("bank", principal).reveal()))
            assert answer.status_code in (401, 403)


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_a_head_is_answered_as_a_get_and_as_guarded(http: httpx.AsyncClient, path: str) -> None:
    headers = bearer(guards.METRICS_TOKEN.reveal())
    assert (await http.head(path, headers=headers)).status_code == 200
    stranger = await http.head(path)
    assert stranger.status_code == (await http.get(path)).status_code == (401 if path == "/metrics" else 200)


async def test_metrics_and_the_document_are_not_public(http: httpx.AsyncClient) -> None:
    assert (await http.get("/metrics")).status_code == 401
    assert (await http.get("/openapi.json")).status_code == 401
    assert (await http.get("/metrics", headers=bearer(guards.METRICS_TOKEN.reveal()))).status_code == 200
    assert (await http.get("/openapi.json", headers=bearer(guards.METRICS_TOKEN.reveal()))).status_code == 401
    document = (await http.get("/openapi.json", headers=bearer(STRANGER.token("bank").reveal()))).json()
    assert document["paths"]["/api/v1/safe/open"]["get"]["x-permission"] == "hosts:manage"
    assert (await http.get("/health")).status_code == 200
