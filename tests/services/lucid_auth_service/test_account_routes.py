"""/api/v1/account and /api/v1/accounts, as the api-gateway asks them."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pyotp
import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.base.clock import parse_time
from lucid.base.secret import Secret
from lucid.model.permission import ROLES, Role
from lucid.services.lucid_auth_service.routes.account import account_routes
from lucid.services.lucid_auth_service.routes.account_factors import factor_routes
from lucid.services.lucid_auth_service.routes.account_passkeys import passkey_routes
from lucid.services.lucid_auth_service.routes.accounts import accounts_routes
from lucid.services.lucid_auth_service.service import AuthService
from tests.asking import asking, person
from tests.services.lucid_auth_service.auth_kit import RevokedLogins, Trail, TurnedClock
from tests.services.lucid_auth_service.authenticator import Authenticator

OWN, ALL = "/api/v1/account", "/api/v1/accounts"
NEW_PASSWORD = "seven green bicycles"

NOTHING: tuple[Any, ...] = (
    None,
    [],
    {},
    {"password": ""},
    {"password": None},
    {"password": "x" * 1025},
    {"code": "1" * 65},
)
"""What confirms nothing."""


@pytest.fixture
def router(service: AuthService) -> APIRouter:
    router = APIRouter()
    for routes in (account_routes, factor_routes, passkey_routes, accounts_routes):
        router.include_router(routes(service.people))
    return router


@pytest.fixture
async def password(service: AuthService) -> str:
    """That of the account `ada`."""
    return (await service.accounts.create(name="ada", role="user")).reveal()


@pytest.fixture
async def ada(router: APIRouter, password: str) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(router, person("ada")) as client:
        yield client


@pytest.fixture
async def root(router: APIRouter, service: AuthService) -> AsyncIterator[httpx.AsyncClient]:
    await service.accounts.create(name="root", role="admin")
    async with asking(router, person("root", "admin")) as client:
        yield client


def shown(secret: str, clock: TurnedClock) -> str:
    return pyotp.TOTP(secret).at(int(parse_time(clock.now()).timestamp()))


async def test_people_see_their_account(ada: httpx.AsyncClient) -> None:
    answer = await ada.get(OWN)
    assert answer.status_code == 200
    assert answer.json() == {
        "name": "ada",
        "role": "user",
        "created": "2026-11-22T21:42:00.000000Z",
        "permissions": sorted(ROLES["user"]),
        "methods": ["pwd"],
        "totp": False,
        "passkeys": 0,
        "recovery_codes": 0,
    }


async def test_a_removed_account_is_not_found(ada: httpx.AsyncClient, service: AuthService) -> None:
    await service.accounts.remove(name="ada")
    for path in (OWN, f"{OWN}/passkeys"):
        assert (await ada.get(path)).status_code == 404


async def test_people_change_their_password(
    ada: httpx.AsyncClient, service: AuthService, password: str, logins: RevokedLogins, trail: Trail
) -> None:
    change = {"current_password": password, "new_password": NEW_PASSWORD}
    headers = {"x-request-id": "r-1", "x-forwarded-for": "203.0.113.9, 192.0.2.7"}
    answer = await ada.post(f"{OWN}/password", json=change, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert logins.users == ["ada"]
    event = trail.seen[-1]
    assert (event.actor, event.act, event.address, event.request) == ("ada", "password.changed", "192.0.2.7", "r-1")
    await service.accounts.authenticate(name="ada", password=Secret(NEW_PASSWORD))
    answer = await ada.post(f"{OWN}/password", json=change)
    assert (answer.status_code, answer.json()["detail"]) == (403, "the password or code is wrong")
    answer = await ada.post(f"{OWN}/password", json={"current_password": NEW_PASSWORD, "new_password": "password1234"})
    assert (answer.status_code, answer.json()["field"]) == (400, "new_password")


async def test_an_app_is_enrolled_used_and_removed(
    ada: httpx.AsyncClient, service: AuthService, password: str, clock: TurnedClock
) -> None:
    answer = await ada.post(f"{OWN}/totp", json={"password": password})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    offer = answer.json()
    assert offer["uri"] == f"otpauth://totp/Lucid:ada?secret={offer['secret']}&issuer=Lucid"
    assert ElementTree.fromstring(offer["qr_svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    answer = await ada.post(f"{OWN}/totp/confirmation", json={"code": shown(offer["secret"], clock)})
    assert answer.status_code == 200
    codes = answer.json()["recovery_codes"]
    assert len(codes) == 10
    mine = (await ada.get(OWN)).json()
    assert (mine["totp"], mine["recovery_codes"]) == (True, 10)
    answer = await ada.post(f"{OWN}/recovery-codes", json={"code": codes[0]})
    assert answer.status_code == 201
    renewed = answer.json()["recovery_codes"]
    assert not set(codes) & set(renewed)
    clock.turn(30)
    answer = await ada.post(f"{OWN}/totp/removal", json={"code": shown(offer["secret"], clock)})
    assert answer.status_code == 204
    assert (await service.accounts.get(name="ada")).second_factors == ()
    assert (await ada.post(f"{OWN}/totp/removal", json={"password": password})).status_code == 404


@pytest.mark.parametrize(
    "path", ["totp", "totp/removal", "recovery-codes", "passkeys/options", f"passkeys/{'a' * 32}/removal"]
)
async def test_sensitive_changes_are_confirmed(
    ada: httpx.AsyncClient, service: AuthService, path: str, trail: Trail
) -> None:
    before = await service.people.store.get("ada")
    for confirmation in ({"password": "wrong"}, {"code": "123456"}):
        answer = await ada.post(f"{OWN}/{path}", json=confirmation)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:lucid:error:forbidden")
    for nothing in NOTHING:
        assert (await ada.post(f"{OWN}/{path}", json=nothing)).status_code == 400
    assert await service.people.store.get("ada") == before
    assert trail.acts[1:] == ["login.failed denied", "factor.failed denied"]


async def test_guesses_at_a_confirmation_have_to_pause(ada: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await ada.post(f"{OWN}/totp", json={"password": "wrong"})).status_code == 403
    answer = await ada.post(f"{OWN}/totp", json={"password": "wrong"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def test_a_passkey_is_added_listed_used_and_removed(
    ada: httpx.AsyncClient, service: AuthService, password: str
) -> None:
    authenticator = Authenticator("EdDSA")
    answer = await ada.post(f"{OWN}/passkeys/options", json={"password": password})
    assert answer.status_code == 200
    made = authenticator.create(answer.json()["options"])
    answer = await ada.post(f"{OWN}/passkeys", json={"name": "Laptop", "response": made})
    assert answer.status_code == 201
    added = answer.json()
    assert len(added["recovery_codes"]) == 10
    assert added["passkey"] | {"id": ""} == {
        "id": "",
        "name": "Laptop",
        "created": "2026-11-22T21:42:00.000000Z",
        "used": None,
    }
    assert (await ada.get(f"{OWN}/passkeys")).json() == {"items": [added["passkey"]]}
    again = await ada.post(f"{OWN}/passkeys", json={"name": "Laptop", "response": made})
    assert again.status_code == 403  # the challenge is used up
    options = await service.people.sign_in.passkey_options(None)
    await service.people.sign_in.with_passkey(None, authenticator.get(json.loads(json.dumps(options))))
    removal = f"{OWN}/passkeys/{added['passkey']['id']}/removal"
    assert (await ada.post(removal, json={"password": password})).status_code == 204
    assert (await ada.post(removal, json={"password": password})).status_code == 404


async def test_administrators_create_see_change_and_remove_accounts(
    root: httpx.AsyncClient, service: AuthService, trail: Trail
) -> None:
    answer = await root.post(ALL, json={"name": "bob", "role": "developer"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    created = answer.json()
    account = {
        "name": "bob",
        "role": "developer",
        "created": "2026-11-22T21:42:00.000000Z",
        "locked": False,
        "second_factors": [],
    }
    assert created["account"] == account
    await service.accounts.authenticate(name="bob", password=Secret(created["password"]))
    assert (await root.post(ALL, json={"name": "bob"})).status_code == 409
    assert (await root.get(f"{ALL}/bob")).json() == account
    changed = await root.patch(f"{ALL}/bob", json={"role": "auditor", "locked": True})
    assert changed.json() == account | {"role": "auditor", "locked": True}
    reset = await root.post(f"{ALL}/bob/password")
    assert reset.status_code == 201
    assert reset.json()["password"] != created["password"]
    assert (await root.delete(f"{ALL}/bob/second-factors")).status_code == 204
    assert (await root.delete(f"{ALL}/bob")).status_code == 204
    for answer in (
        await root.get(f"{ALL}/bob"),
        await root.patch(f"{ALL}/bob", json={}),
        await root.delete(f"{ALL}/bob"),
        await root.post(f"{ALL}/bob/password"),
        await root.delete(f"{ALL}/bob/second-factors"),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    mine = [(event.act, event.accountable) for event in trail.seen if event.actor == "root"]
    assert mine == [
        (act, True)
        for act in (
            "account.created",
            "account.role-changed",
            "account.locked",
            "password.reset",
            "account.factors-removed",
            "account.removed",
        )
    ]


async def test_the_list_is_paged(root: httpx.AsyncClient, service: AuthService) -> None:
    for n in range(4):
        await service.accounts.create(name=f"name-{n}", role="user")
    seen, after = [], ""
    while True:
        page = (await root.get(ALL, params={"limit": 2} | ({"after": after} if after else {}))).json()
        seen.append([account["name"] for account in page["items"]])
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == [["name-0", "name-1"], ["name-2", "name-3"], ["root"]]


async def test_the_last_administrator_stays(root: httpx.AsyncClient) -> None:
    for answer in (
        await root.patch(f"{ALL}/root", json={"role": "user"}),
        await root.patch(f"{ALL}/root", json={"locked": True}),
        await root.delete(f"{ALL}/root"),
    ):
        assert answer.status_code == 409
    assert (await root.get(f"{ALL}/root")).status_code == 200


async def test_administrators_go_the_usual_way_for_themselves(root: httpx.AsyncClient) -> None:
    assert (await root.post(f"{ALL}/root/password")).status_code == 409
    assert (await root.delete(f"{ALL}/root/second-factors")).status_code == 409


@pytest.mark.parametrize("role", ROLES)
async def test_roles_may_what_the_table_says(router: APIRouter, password: str, role: Role) -> None:
    reads, manages = role in ("admin", "auditor"), role == "admin"
    async with asking(router, person("eve", role)) as client:
        for answer, allowed in (
            (await client.get(ALL), reads),
            (await client.get(f"{ALL}/ada"), reads),
            (await client.post(ALL, json={"name": f"by-{role}"}), manages),
            (await client.post(f"{ALL}/ada/password"), manages),
            (await client.delete(f"{ALL}/ada/second-factors"), manages),
            (await client.patch(f"{ALL}/ada", json={"role": "admin"}), manages),
            (await client.delete(f"{ALL}/ada"), manages),
        ):
            assert (answer.status_code == 403) is not allowed
            assert answer.status_code < 500


async def test_nobody_gets_nothing(router: APIRouter) -> None:
    async with asking(router, None) as client:
        for path in (OWN, ALL, f"{OWN}/passkeys", f"{ALL}/ada"):
            assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{ALL}?limit=0", None),
        ("GET", f"{ALL}?limit=201", None),
        ("GET", f"{ALL}?limit={10**30}", None),
        ("GET", f"{ALL}?after=%00", None),
        ("GET", f"{ALL}/A", None),
        ("GET", f"{ALL}/ada%0A", None),
        ("GET", f"{ALL}/%00", None),
        ("POST", ALL, {"name": "Ada"}),
        ("POST", ALL, {"name": "ada\n"}),
        ("POST", ALL, {"name": "x" * 64}),
        ("POST", ALL, {"name": "lucid-cli"}),
        ("POST", ALL, {"name": "bob", "role": "owner"}),
        ("POST", ALL, {"name": "bob", "password": "chosen by the administrator"}),
        ("PATCH", f"{ALL}/root", {"role": "root"}),
        ("PATCH", f"{ALL}/root", {"locked": 0}),
        ("PATCH", f"{ALL}/root", {"name": "other"}),
        ("POST", f"{OWN}/passkeys", {"name": "a\x00b", "response": {}}),
        ("POST", f"{OWN}/passkeys/xyz/removal", {"password": "x"}),
        ("POST", f"{OWN}/totp/confirmation", {"code": ["1"]}),
    ],
)
async def test_bad_input_is_refused(root: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    answer = await root.request(method, path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    path=st.sampled_from(["password", "totp", "totp/confirmation", "totp/removal", "recovery-codes", "passkeys"]),
    body=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=10),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["password", "code", "name", "response", "new_password"]), inner)
            ),
            max_leaves=5,
        ).map(lambda value: json.dumps(value).encode()),
        st.just(b'{"password": "\\ud800"}'),
        st.just(b"[" * 100_000),
    ),
)
async def test_no_body_is_too_odd(ada: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await ada.post(f"{OWN}/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 403, 409, 429)
