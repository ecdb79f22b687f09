"""From a password to tokens and back out, as clients do it through the api-gateway."""

import base64
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.access.acts import Origin
from lucid.access.audit import AuditFilter
from lucid.access.factors.relying_party import RegistrationResponse
from lucid.access.sign_in import SignedIn
from lucid.access.verifying import ISSUER, AccessTokenVerifier
from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret
from lucid.model.permission import ROLES
from lucid.model.principal import Principal
from lucid.ports.access import REVOKED, Outcome
from lucid.services.lucid_auth_service.routes.login import login_routes
from lucid.services.lucid_auth_service.routes.logins import logins_routes
from lucid.services.lucid_auth_service.service import AuthService
from tests.asking import asking, person
from tests.files import bytes_below
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, TurnedClock
from tests.services.lucid_auth_service.authenticator import Authenticator
from tests.services.lucid_auth_service.test_second_factors import ADA, enrolled

AGENT = {"user-agent": "Firefox\x7f on the laptop", "x-forwarded-for": "192.0.2.7", "x-request-id": "r1"}


class WallClock(TurnedClock):
    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def clock() -> TurnedClock:
    return WallClock()


@pytest.fixture
def router(whole: AuthService, clock: TurnedClock) -> APIRouter:
    router = APIRouter()
    router.include_router(login_routes(whole.people.sign_in, whole.credentials.logins, clock))
    router.include_router(logins_routes(whole.credentials.logins))
    return router


@pytest.fixture
async def anybody(router: APIRouter) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(router, None) as client:
        client.headers.update(AGENT)
        yield client


async def principal(service: AuthService, clock: TurnedClock, tokens: dict[str, Any]) -> Principal:
    """Who the api-gateway takes the bearer for. Raises Unauthenticated."""
    verifier = AccessTokenVerifier(ISSUER, clock)
    verifier.load(await service.credentials.desk.keys())
    for revocation in await service.credentials.desk.revocations():
        verifier.revoke(revocation)
    return verifier.principal(tokens["access_token"])


async def log_in(anybody: httpx.AsyncClient, password: Secret, name: str = "ada") -> dict[str, Any]:
    answer = await anybody.post("/api/v1/login", json={"name": name, "password": password.reveal()})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens: dict[str, Any] = answer.json()
    return tokens


async def test_a_password_gives_tokens(whole: AuthService, clock: TurnedClock, anybody: httpx.AsyncClient) -> None:
    password = await whole.accounts.create(name="ada", role="developer")
    tokens = await log_in(anybody, password)
    who = await principal(whole, clock, tokens)
    assert (who.user, who.role, who.methods, who.permissions) == ("ada", "developer", ("pwd",), ROLES["developer"])
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    [opened] = await whole.trail.search(AuditFilter(act="login.opened"))
    assert (opened.act, opened.actor, opened.address, opened.request) == ("login.opened", "ada", "192.0.2.7", "r1")
    refused = await anybody.post("/api/v1/login", json={"name": "ada", "password": "wrong"})
    assert refused.status_code == 401


async def test_a_code_finishes_a_login(whole: AuthService, clock: TurnedClock, anybody: httpx.AsyncClient) -> None:
    password, app, codes = await enrolled(whole, clock)
    answer = await anybody.post("/api/v1/login", json={"name": "ada", "password": password.reveal()})
    assert answer.status_code == 202
    assert answer.json()["factors"] == ["totp", "recovery"]
    step = {"pending": answer.json()["pending"]}
    assert (await anybody.post("/api/v1/login/code", json={**step, "code": "000000"})).status_code == 401
    done = await anybody.post("/api/v1/login/code", json={**step, "code": app.code().reveal()})
    assert (await principal(whole, clock, done.json())).methods == ("pwd", "otp")
    assert (await anybody.post("/api/v1/login/code", json={**step, "code": codes[0]})).status_code == 401


async def test_a_passkey_alone_gives_tokens(whole: AuthService, clock: TurnedClock, anybody: httpx.AsyncClient) -> None:
    await whole.accounts.create(name="ada", role="user")
    device = Authenticator()
    passkeys = whole.people.passkeys
    made = device.create(await passkeys.registration_options("ada"))
    await passkeys.register("ada", "key", RegistrationResponse.model_validate(made), origin=ADA)
    options = (await anybody.post("/api/v1/login/passkey/options", json={})).json()["options"]
    answer = {"response": device.get(options)}
    tokens = await anybody.post("/api/v1/login/passkey", json=answer)
    assert (await principal(whole, clock, tokens.json())).methods == ("hwk",)
    assert (await anybody.post("/api/v1/login/passkey", json=answer)).status_code == 401
    assert (await anybody.post("/api/v1/login/passkey", json={"response": {}})).status_code == 400


async def test_tokens_are_refreshed_with_the_role_of_the_time(
    whole: AuthService, clock: TurnedClock, anybody: httpx.AsyncClient, tmp_path: Path
) -> None:
    tokens = await log_in(anybody, await whole.accounts.create(name="ada", role="user"))
    clock.turn(3600)
    with pytest.raises(Unauthenticated):
        await principal(whole, clock, tokens)
    body = {"refresh_token": tokens["refresh_token"]}
    after = (await anybody.post("/api/v1/login/refresh", json=body)).json()
    assert (await principal(whole, clock, after)).user == "ada"
    stored = bytes_below(tmp_path)
    for secret in (tokens["refresh_token"], after["refresh_token"], after["access_token"]):
        assert secret.encode() not in stored
    clock.turn(60)
    assert (await anybody.post("/api/v1/login/refresh", json=body)).status_code == 401
    with pytest.raises(Unauthenticated, match="ended"):
        await principal(whole, clock, after)
    assert len(await whole.trail.search(AuditFilter(act="login.reused", outcome=Outcome.DENIED))) == 1


@pytest.mark.parametrize("change", ["role", "lock", "password", "remove"])
async def test_what_changes_an_account_ends_its_logins(
    whole: AuthService, clock: TurnedClock, anybody: httpx.AsyncClient, bus: MemoryBus, change: str
) -> None:
    await whole.start()
    tokens = await log_in(anybody, await whole.accounts.create(name="ada", role="user"))
    clock.turn(1)
    match change:
        case "role":
            await whole.accounts.change(name="ada", role="auditor")
        case "lock":
            await whole.accounts.change(name="ada", locked=True)
        case "password":
            await whole.accounts.reset_password(name="ada")
        case "remove":
            await whole.accounts.remove(name="ada")
    assert (await bus.wait_for(REVOKED, 1))[0]["user"] == "ada"
    with pytest.raises(Unauthenticated):
        await principal(whole, clock, tokens)
    refresh = await anybody.post("/api/v1/login/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refresh.status_code == 401
    await whole.stop()


async def test_a_login_that_raced_with_a_new_password_is_refused(whole: AuthService, clock: TurnedClock) -> None:
    """The old password was checked, then the password changed, then the login would be opened."""
    await whole.accounts.create(name="ada", role="user")
    began = clock.now()
    clock.turn(1)
    await whole.accounts.reset_password(name="ada")
    clock.turn(1)
    who = SignedIn(await whole.accounts.get(name="ada"), ("pwd",))
    with pytest.raises(Unauthenticated):
        await whole.credentials.logins.open(who, began=began, device="", origin=Origin())
    assert await whole.credentials.logins.list("ada") == []


async def test_logins_are_listed_and_ended(
    whole: AuthService, clock: TurnedClock, router: APIRouter, anybody: httpx.AsyncClient
) -> None:
    password = await whole.accounts.create(name="ada", role="user")
    eve = await log_in(anybody, await whole.accounts.create(name="eve", role="user"), "eve")
    mine = []
    for _ in range(4):
        clock.turn(1)
        mine.append(await log_in(anybody, password))
    who = await principal(whole, clock, mine[0])
    async with asking(router, who) as ada:
        listed = (await ada.get("/api/v1/logins")).json()["items"]
        assert len(listed) == 4
        assert [login["current"] for login in listed] == [False, False, False, True]
        assert (listed[0]["device"], listed[0]["address"]) == ("Firefox on the laptop", "192.0.2.7")
        assert (await ada.delete(f"/api/v1/logins/{listed[0]['id']}")).status_code == 204
        assert (await ada.delete(f"/api/v1/logins/{listed[0]['id']}")).status_code == 404
        others = (await whole.credentials.logins.list("eve"))[0].id
        assert (await ada.delete(f"/api/v1/logins/{others}")).status_code == 404
        assert (await ada.post("/api/v1/logout")).status_code == 204
        assert len((await ada.get("/api/v1/logins")).json()["items"]) == 2
        for ended in (mine[0], mine[3]):
            with pytest.raises(Unauthenticated):
                await principal(whole, clock, ended)
        await principal(whole, clock, mine[1])
        assert (await ada.delete("/api/v1/logins")).status_code == 204
    for ended in mine:
        with pytest.raises(Unauthenticated):
            await principal(whole, clock, ended)
    await principal(whole, clock, eve)
    token = person("ada", methods=("token",)).model_copy(update={"session": ""})
    async with asking(router, token) as program:
        assert (await program.post("/api/v1/logout")).status_code == 409


async def test_an_account_has_so_many_logins(
    whole: AuthService, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch, anybody: httpx.AsyncClient
) -> None:
    monkeypatch.setattr("lucid.access.refresh.MOST", 3)
    password = await whole.accounts.create(name="ada", role="user")
    tokens = []
    for _ in range(5):
        clock.turn(1)
        tokens.append(await log_in(anybody, password))
    assert len(await whole.credentials.logins.list("ada")) == 3
    with pytest.raises(Unauthenticated):
        await principal(whole, clock, tokens[1])
    await principal(whole, clock, tokens[2])


async def test_knowing_a_login_is_not_enough_to_end_it(
    whole: AuthService, clock: TurnedClock, anybody: httpx.AsyncClient
) -> None:
    tokens = await log_in(anybody, await whole.accounts.create(name="ada", role="user"))
    login = uuid.UUID((await whole.credentials.logins.list("ada"))[0].id)
    forged = "lucid_rt_" + base64.urlsafe_b64encode(login.bytes + b"x" * 64).rstrip(b"=").decode()
    assert (await anybody.post("/api/v1/login/refresh", json={"refresh_token": forged})).status_code == 401
    await principal(whole, clock, tokens)
    again = await anybody.post("/api/v1/login/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 200


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
BODIES = {
    "": ["name", "password", "device"],
    "/code": ["pending", "code", "device"],
    "/passkey": ["pending", "response"],
    "/passkey/options": ["pending"],
    "/refresh": ["refresh_token"],
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_body_breaks_a_login(data: st.DataObject, anybody: httpx.AsyncClient) -> None:
    path = data.draw(st.sampled_from(sorted(BODIES)))
    body = data.draw(st.fixed_dictionaries(dict.fromkeys(BODIES[path], ANYTHING)) | ANYTHING)
    answer = await anybody.post(f"/api/v1/login{path}", json=body)
    assert answer.status_code in (400, 401, 429) or path == "/passkey/options"
    assert answer.status_code < 500


async def test_the_setting_creates_the_first_administrator(make: Any, clock: TurnedClock) -> None:
    password = Secret("seven green bicycles")
    known = SETTINGS.model_copy(update={"administrator_password": password})
    service = AuthService(known, **make.keywords)
    for _ in range(2):
        await service.start()
        assert (await service.accounts.authenticate(name="admin", password=password)).role == "admin"
        await service.stop()
        known = known.model_copy(update={"administrator_password": Secret("another password, later")})
        service = AuthService(known, **make.keywords)
    assert await service.accounts.create_administrator() is None
