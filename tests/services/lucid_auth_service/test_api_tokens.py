"""Personal API tokens: no more than their scopes, their role and their time allow."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.access import api_tokens
from lucid.access.api_tokens import PREFIX, is_well_formed, new_secret
from lucid.access.audit import AuditFilter
from lucid.base.errors import Unauthenticated, Unavailable
from lucid.base.secret import Secret
from lucid.model.permission import ROLES, Permission
from lucid.ports.access import REVOKED, AuditEvent
from lucid.services.lucid_auth_service.routes.tokens import token_routes
from lucid.services.lucid_auth_service.service import AuthService
from tests.asking import asking, person
from tests.files import bytes_below
from tests.services.lucid_auth_service.auth_kit import MemoryBus, TurnedClock

REQUEST = {"label": "backup", "scopes": ["sessions:read", "tokens:own"], "days": 90}
DAY_S = 86_400


@pytest.fixture
async def ada(whole: AuthService) -> AsyncIterator[httpx.AsyncClient]:
    await whole.accounts.create(name="ada", role="developer")
    async with asking(token_routes(whole.credentials.api_tokens), person("ada", "developer")) as client:
        yield client


async def make(ada: httpx.AsyncClient, **changes: Any) -> tuple[str, Secret]:
    answer = await ada.post("/api/v1/tokens", json=REQUEST | changes)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["token"]["id"], Secret(answer.json()["secret"])


async def refusal(whole: AuthService, secret: Secret) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await whole.credentials.desk.principal(token=secret)
    return refused.value.detail


async def test_a_token_allows_its_scopes(whole: AuthService, ada: httpx.AsyncClient, tmp_path: Path) -> None:
    name, secret = await make(ada)
    who = await whole.credentials.desk.principal(token=secret)
    assert who.permissions == {Permission.SESSIONS_READ, Permission.TOKENS_OWN}
    assert (who.user, who.role, who.methods, who.token, who.session) == ("ada", "developer", ("token",), name, "")
    assert secret.reveal().encode() not in bytes_below(tmp_path)
    [created] = await whole.trail.search(AuditFilter(act="token.created"))
    assert (created.subject, created.accountable) == ({"account": "ada", "token": name}, True)


async def test_a_token_follows_the_role(whole: AuthService, ada: httpx.AsyncClient) -> None:
    _, secret = await make(ada)
    await whole.accounts.change(name="ada", role="user")
    assert (await whole.credentials.desk.principal(token=secret)).permissions == {Permission.SESSIONS_READ}
    await whole.accounts.change(name="ada", locked=True)
    assert "locked" in await refusal(whole, secret)
    await whole.accounts.change(name="ada", locked=False)
    await whole.accounts.remove(name="ada")
    assert "removed" in await refusal(whole, secret)


async def test_a_token_ends(whole: AuthService, ada: httpx.AsyncClient, clock: TurnedClock) -> None:
    _, secret = await make(ada, days=2)
    clock.turn(2 * DAY_S - 1)
    await whole.credentials.desk.principal(token=secret)
    clock.turn(1)
    assert "expired" in await refusal(whole, secret)
    assert len((await ada.get("/api/v1/tokens")).json()["items"]) == 1
    clock.turn(40 * DAY_S)
    await whole.sweep()
    assert (await ada.get("/api/v1/tokens")).json() == {"items": [], "next": None}


async def test_a_token_is_revoked_by_its_owner(whole: AuthService, ada: httpx.AsyncClient, bus: MemoryBus) -> None:
    await whole.start()
    name, secret = await make(ada)
    async with asking(token_routes(whole.credentials.api_tokens), person("eve", "developer")) as eve:
        assert (await eve.delete(f"/api/v1/tokens/{name}")).status_code == 404
    assert (await ada.delete(f"/api/v1/tokens/{name}")).status_code == 204
    assert (await ada.delete(f"/api/v1/tokens/{name}")).status_code == 404
    assert "revoked" in await refusal(whole, secret)
    assert (await bus.wait_for(REVOKED, 1))[0]["session"] == name
    await whole.stop()


async def test_the_last_use_is_noted(whole: AuthService, ada: httpx.AsyncClient, clock: TurnedClock) -> None:
    _, secret = await make(ada)

    async def used() -> str | None:
        value: str | None = (await ada.get("/api/v1/tokens")).json()["items"][0]["used"]
        return value

    assert await used() is None
    await whole.credentials.desk.principal(token=secret)
    first = await used()
    assert first == clock.now()
    clock.turn(30)
    await whole.credentials.desk.principal(token=secret)
    assert await used() == first
    clock.turn(30)
    await whole.credentials.desk.principal(token=secret)
    assert await used() == clock.now()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"scopes": ["accounts:manage"]}, 403),
        ({"scopes": []}, 400),
        ({"scopes": ["sessions:everything"]}, 400),
        ({"days": 0}, 400),
        ({"days": 367}, 400),
        ({"days": None}, 400),
        ({"label": ""}, 400),
        ({"label": "a\x00b"}, 400),
        ({"label": "\ud800"}, 400),
    ],
    ids=str,
)
async def test_what_may_not_be_is_refused(ada: httpx.AsyncClient, changes: dict[str, Any], status: int) -> None:
    answer = await ada.post(
        "/api/v1/tokens", content=json.dumps(REQUEST | changes), headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert (await ada.get("/api/v1/tokens")).json()["items"] == []


async def test_no_token_works_without_a_trace(
    whole: AuthService, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*, event: AuditEvent) -> None:
        raise Unavailable("the store is away")

    monkeypatch.setattr(whole.trail, "record", fail)
    assert (await ada.post("/api/v1/tokens", json=REQUEST)).status_code == 503
    assert (await ada.get("/api/v1/tokens")).json()["items"] == []


async def test_a_token_makes_no_other(whole: AuthService, ada: httpx.AsyncClient) -> None:
    _, secret = await make(ada)
    program = await whole.credentials.desk.principal(token=secret)
    async with asking(token_routes(whole.credentials.api_tokens), program) as client:
        assert (await client.post("/api/v1/tokens", json=REQUEST)).status_code == 403
        assert (await client.get("/api/v1/tokens")).status_code == 200


async def test_an_account_has_so_many_tokens(ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MOST", 2)
    for _ in range(2):
        await make(ada)
    assert (await ada.post("/api/v1/tokens", json=REQUEST)).status_code == 409


async def test_users_have_no_tokens(whole: AuthService) -> None:
    assert Permission.TOKENS_OWN not in ROLES["user"]
    async with asking(token_routes(whole.credentials.api_tokens), person("ada", "user")) as client:
        assert (await client.post("/api/v1/tokens", json=REQUEST)).status_code == 403


def test_a_secret_can_be_told_from_other_text() -> None:
    secrets = {new_secret().reveal() for _ in range(50)}
    assert len(secrets) == 50
    assert all(re.fullmatch(r"lucid_pat_[0-9A-Za-z]{49}", secret) and is_well_formed(secret) for secret in secrets)


@given(st.data())
def test_a_mistyped_secret_is_noticed(data: st.DataObject) -> None:
    secret = new_secret().reveal()
    at = data.draw(st.integers(0, len(secret) - 1))
    changed = (
        secret[:at] + data.draw(st.characters().filter(lambda character: character != secret[at])) + secret[at + 1 :]
    )
    assert not is_well_formed(changed)


@given(st.text() | st.text().map(lambda text: PREFIX + text))
def test_other_text_is_no_token(text: str) -> None:
    assert not is_well_formed(text)


async def test_an_unknown_token_is_refused(whole: AuthService) -> None:
    assert "unknown" in await refusal(whole, new_secret())
    for text in ("", PREFIX, "lucid_pat_é" + "x" * 48, "\ud800" * 59, "x" * 100_000):
        assert "malformed" in await refusal(whole, Secret(text))
