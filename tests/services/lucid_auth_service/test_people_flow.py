"""A person's way through the whole service: first password, second factors, logins, and the end of the account."""

from typing import Any

import httpx
import pyotp
import pytest
from fastapi import APIRouter

from lucid.base.clock import parse_time
from lucid.services.lucid_auth_service.routes.account import account_routes
from lucid.services.lucid_auth_service.routes.account_factors import factor_routes
from lucid.services.lucid_auth_service.routes.account_passkeys import passkey_routes
from lucid.services.lucid_auth_service.routes.accounts import accounts_routes
from lucid.services.lucid_auth_service.routes.login import login_routes
from tests.asking import asking, person
from tests.services.lucid_auth_service.auth_kit import TurnedClock
from tests.services.lucid_auth_service.authenticator import Authenticator
from tests.services.lucid_auth_service.conftest import Make

API = "/api/v1"

ACTS = """
root account.created done
ada login.opened done
ada password.changed done
anonymous login.failed denied
ada totp.enrolled done
ada login.opened done
ada factor.failed denied
ada recovery.used done
ada login.opened done
ada passkey.added done
ada login.opened done
ada login.opened done
root account.locked done
anonymous login.failed denied
anonymous factor.failed denied
"""


@pytest.fixture
def api(make: Make, clock: TurnedClock) -> APIRouter:
    """The routes for people, with real logins and their audit trail behind them."""
    service = make()
    api = APIRouter()
    for routes in (account_routes, factor_routes, passkey_routes, accounts_routes):
        api.include_router(routes(service.people))
    api.include_router(login_routes(service.people.sign_in, service.credentials.logins, clock))
    return api


async def post(client: httpx.AsyncClient, path: str, status: int, **body: Any) -> Any:
    answer = await client.post(API + path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_from_the_first_password_to_the_last_login(api: APIRouter, make: Make, clock: TurnedClock) -> None:
    service = make()
    await service.credentials.keys.maintain()
    nobody, ada, root = asking(api, None), asking(api, person("ada")), asking(api, person("root", "admin"))
    created = await post(root, "/accounts", 201, name="ada")

    login = {"name": "ada", "password": created["password"]}
    assert "access_token" in await post(nobody, "/login", 200, **login)
    change = {"current_password": created["password"], "new_password": "seven green bicycles"}
    await post(ada, "/account/password", 204, **change)
    await post(nobody, "/login", 401, **login)
    login["password"] = "seven green bicycles"

    offer = await post(ada, "/account/totp", 201, password=login["password"])
    totp = pyotp.TOTP(offer["secret"])

    def code() -> str:
        clock.turn(30)
        return totp.at(int(parse_time(clock.now()).timestamp()))

    recovery = (await post(ada, "/account/totp/confirmation", 200, code=code()))["recovery_codes"]
    pending = await post(nobody, "/login", 202, **login)
    assert pending["factors"] == ["totp", "recovery"]
    used = code()
    assert "access_token" in await post(nobody, "/login/code", 200, pending=pending["pending"], code=used)
    pending = await post(nobody, "/login", 202, **login)
    await post(nobody, "/login/code", 401, pending=pending["pending"], code=used)
    assert "access_token" in await post(nobody, "/login/code", 200, pending=pending["pending"], code=recovery[0])

    authenticator = Authenticator()
    making = await post(ada, "/account/passkeys/options", 200, code=code())
    made = authenticator.create(making["options"])
    await post(ada, "/account/passkeys", 201, name="Phone", response=made)
    asked = await post(nobody, "/login/passkey/options", 200)
    answer = authenticator.get(asked["options"])
    tokens = await post(nobody, "/login/passkey", 200, response=answer)
    await post(nobody, "/login/passkey", 401, response=answer)
    pending = await post(nobody, "/login", 202, **login)
    asked = await post(nobody, "/login/passkey/options", 200, pending=pending["pending"])
    answer = authenticator.get(asked["options"])
    assert await post(nobody, "/login/passkey", 200, pending=pending["pending"], response=answer)

    assert (await root.patch(f"{API}/accounts/ada", json={"locked": True})).json()["locked"]
    await post(nobody, "/login/refresh", 401, refresh_token=tokens["refresh_token"])
    await post(nobody, "/login", 401, **login)
    asked = await post(nobody, "/login/passkey/options", 200)
    await post(nobody, "/login/passkey", 401, response=authenticator.get(asked["options"]))
    trail = [f"{event.actor} {event.act} {event.outcome}" for event in await service.trail.events(limit=200)]
    assert trail == ACTS.strip().splitlines()
