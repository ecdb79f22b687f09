"""Login at a real OpenID provider, with a browser's steps done by hand."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucid.base.clock import SystemClock
from lucid.base.secret import Secret
from lucid.drivers.http.web import HttpxWeb
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.access import AccountKeeping, Accounts, Audit
from lucid.ports.log import Anchoring
from lucid.ports.service import App, Ports
from lucid.ports.stores import Bus, Documents
from lucid.ports.web import Web
from lucid.services.lucid_auth_service.app import create
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings
from tests.asking import asking
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, MemoryLog

CALLBACK = "http://localhost:12080/api/v1/login/oidc/callback"
CLIENT_ID, CLIENT_SECRET = "lucid", "the-secret-of-the-client"
PASSWORD = "correct horse battery staple"
PROVIDER = Path(__file__).with_name("oidc_provider.py")

MakeApp = Callable[..., App]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    provider = subprocess.Popen([sys.executable, "-W", "ignore", PROVIDER, CALLBACK], stdout=subprocess.PIPE)
    assert provider.stdout is not None
    try:
        yield json.loads(provider.stdout.readline())["issuer"]
    finally:
        provider.kill()
        provider.wait()
        provider.stdout.close()


@pytest.fixture
def make_app(issuer: str, documents: SqliteDocuments) -> MakeApp:
    def make(**settings: Any) -> App:
        known = SETTINGS.model_dump() | {
            "oidc_issuer": issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": Secret(CLIENT_SECRET),
            "oidc_scopes": "openid profile groups",
            "oidc_create_accounts": True,
        }
        bound: dict[type, Any] = {Documents: documents, Bus: MemoryBus(), Anchoring: MemoryLog(), Web: HttpxWeb()}
        return create(LucidAuthServiceSettings(**known | settings), Ports(bound, SystemClock()))

    return make


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def client(app: App) -> httpx.AsyncClient:
    assert app.api is not None
    return asking(app.api, None)


async def at_provider(browser: httpx.AsyncClient, url: str, user: str) -> str:
    """Log in at the provider and return the address that it sends the browser back to."""
    answer = await browser.get(url)
    for _ in range(10):
        if answer.is_redirect:
            location = answer.headers["location"]
            if location.startswith(CALLBACK):
                return str(location)
            answer = await browser.get(answer.url.join(location))
            continue
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.text)
        assert token, answer.text
        form = {"csrf_token": token[1]}
        form |= {"password": PASSWORD} if 'name="password"' in answer.text else {"login": user}
        answer = await browser.post(answer.url, data=form)
    raise AssertionError("the provider does not come to an end")


async def come_back(browser: httpx.AsyncClient, lucid: httpx.AsyncClient, user: str = "ada") -> httpx.Response:
    start = await lucid.get("/api/v1/login/oidc")
    assert start.status_code == 302
    back = await at_provider(browser, start.headers["location"], user)
    return await lucid.get(back.removeprefix("http://localhost:12080"))


async def log_in(browser: httpx.AsyncClient, app: App, user: str = "ada") -> httpx.Response:
    async with client(app) as lucid:
        return await come_back(browser, lucid, user)


def role_of(app: App, name: str) -> Any:
    accounts: Any = app.provides[Accounts]
    return accounts.get(name=name)


async def test_a_first_login_makes_an_account_and_gives_tokens(make_app: MakeApp, browser: httpx.AsyncClient) -> None:
    app = make_app()
    answer = await log_in(browser, app)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (await role_of(app, "ada")).role == "user"
    trail: Any = app.provides[Audit]
    assert {event.act for event in await trail.events()} == {"account.created", "login.opened"}
    async with client(app) as lucid:
        again = await lucid.post("/api/v1/login/refresh", json={"refresh_token": answer.json()["refresh_token"]})
    assert again.status_code == 200


async def test_roles_come_from_groups_at_each_login(make_app: MakeApp, browser: httpx.AsyncClient) -> None:
    app = make_app(oidc_roles={"others": "auditor", "lucid-admins": "developer"}, oidc_default_role="")
    assert (await log_in(browser, app)).status_code == 200
    assert (await role_of(app, "ada")).role == "developer"
    keeping: Any = app.provides[AccountKeeping]
    await keeping.change(name="ada", role="user")
    assert (await log_in(browser, app)).status_code == 200
    assert (await role_of(app, "ada")).role == "developer"


async def test_who_is_in_no_group_stays_out(make_app: MakeApp) -> None:
    app = make_app(oidc_roles={"lucid-admins": "admin"}, oidc_default_role="")
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await log_in(browser, app, "eve")
    assert answer.status_code == 403
    trail: Any = app.provides[Audit]
    assert [(event.act, event.outcome) for event in await trail.events()] == [("login.failed", "denied")]


async def test_without_the_setting_no_account_is_made(make_app: MakeApp, browser: httpx.AsyncClient) -> None:
    answer = await log_in(browser, make_app(oidc_create_accounts=False))
    assert answer.status_code == 403
    assert "no account" in answer.json()["detail"]


async def test_an_account_of_the_name_is_not_taken_over_unasked(make_app: MakeApp, browser: httpx.AsyncClient) -> None:
    app = make_app()
    keeping: Any = app.provides[AccountKeeping]
    await keeping.create(name="ada", role="admin")
    assert (await log_in(browser, app)).status_code == 403
    assert (await log_in(browser, make_app(oidc_adopt_accounts=True))).status_code == 200
    assert (await role_of(app, "ada")).role == "admin"
    assert (await log_in(browser, app)).status_code == 200  # linked by now


@pytest.mark.parametrize("removed", [False, True])
async def test_a_locked_or_removed_account_stays_so(
    make_app: MakeApp, browser: httpx.AsyncClient, removed: bool
) -> None:
    app = make_app()
    assert (await log_in(browser, app)).status_code == 200
    keeping: Any = app.provides[AccountKeeping]
    await (keeping.remove(name="ada") if removed else keeping.change(name="ada", locked=True))
    assert (await log_in(browser, app)).status_code == 403


async def test_an_answer_is_good_once_and_for_the_browser_that_began(
    make_app: MakeApp, browser: httpx.AsyncClient
) -> None:
    app = make_app()
    async with client(app) as lucid, client(app) as thief:
        start = await lucid.get("/api/v1/login/oidc")
        cookie = start.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        back = (await at_provider(browser, start.headers["location"], "ada")).removeprefix("http://localhost:12080")
        assert (await thief.get(back)).status_code == 401
        assert (await lucid.get(back)).status_code == 401  # used up by the attempt
        assert (await come_back(browser, lucid)).status_code == 200
        state = httpx.URL(back).params["state"]
        for query in (f"state={state}&code=x", "state=x&code=x", f"state={state}&error=access_denied"):
            assert (await lucid.get(f"/api/v1/login/oidc/callback?{query}")).status_code == 401


async def test_a_code_of_the_provider_works_once(make_app: MakeApp, browser: httpx.AsyncClient, issuer: str) -> None:
    app = make_app()
    async with client(app) as lucid:
        start = await lucid.get("/api/v1/login/oidc")
        back = httpx.URL(await at_provider(browser, start.headers["location"], "ada"))
        assert (await lucid.get(str(back).removeprefix("http://localhost:12080"))).status_code == 200
        other = await lucid.get("/api/v1/login/oidc")
        state = httpx.URL(other.headers["location"]).params["state"]
        query = {"state": state, "code": back.params["code"], "iss": issuer}
        assert (await lucid.get("/api/v1/login/oidc/callback", params=query)).status_code == 401


async def test_an_answer_of_another_issuer_is_refused(make_app: MakeApp, browser: httpx.AsyncClient) -> None:
    app = make_app()
    async with client(app) as lucid:
        for issuer in ({"iss": "https://evil.example"}, {}):
            start = await lucid.get("/api/v1/login/oidc")
            back = httpx.URL(await at_provider(browser, start.headers["location"], "ada"))
            query = {"state": back.params["state"], "code": back.params["code"]} | issuer
            answer = await lucid.get("/api/v1/login/oidc/callback", params=query)
            assert (answer.status_code, answer.json()["detail"]) == (401, "the answer is of another identity provider")


async def test_a_page_takes_the_tokens_over(make_app: MakeApp, browser: httpx.AsyncClient) -> None:
    app = make_app(oidc_return_url="https://lucid.example.org/welcome")
    async with client(app) as lucid:
        answer = await come_back(browser, lucid)
        assert answer.status_code == 303
        page, _, handover = answer.headers["location"].partition("#handover=")
        assert page == "https://lucid.example.org/welcome"
        tokens = await lucid.post("/api/v1/login/oidc/handover", json={"handover": handover})
        assert tokens.json()["token_type"] == "Bearer"
        assert (await lucid.post("/api/v1/login/oidc/handover", json={"handover": handover})).status_code == 401


async def test_without_a_provider_there_is_no_such_login(make_app: MakeApp) -> None:
    async with client(make_app(oidc_issuer="")) as lucid:
        assert (await lucid.get("/api/v1/login/oidc")).status_code == 404
        assert (await lucid.get("/api/v1/login/oidc/callback?state=x&code=x")).status_code == 404


async def test_a_provider_that_is_away_is_said_to_be(make_app: MakeApp) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with client(make_app(oidc_issuer=f"http://127.0.0.1:{port}")) as lucid:
        answer = await lucid.get("/api/v1/login/oidc")
    assert answer.status_code == 503
