"""An act of a person, from the public API into the log: on a whole platform."""

import json

import httpx

from lucid.access.verifying import ISSUER, AccessTokenVerifier
from lucid.base.clock import SystemClock
from lucid.crypto.identity import GATEWAY, ServiceSigner
from lucid.model.entry import LogEntry
from lucid.model.principal import Principal
from lucid.ports.access import AccountKeeping, Tokens
from lucid.ports.log import DataChain, LogStore
from lucid.runtime.keyring import Keyring
from lucid.runtime.platform import Platform
from tests.waiting import until

AUTH = "lucid-auth-service"


async def of_type(platform: Platform, type: str) -> list[LogEntry]:
    """The entries of a type that the log has published."""
    store = platform.port(LogStore)
    size = (await store.state()).size
    entries = [LogEntry.from_bytes(await store.entry(index=index)) for index in range(size)]
    return [entry for entry in entries if entry.type == type]


async def test_an_act_is_in_the_audit_trail_and_in_the_log(platform: Platform) -> None:
    keeping = platform.port(AccountKeeping)
    password = await keeping.create(name="root", role="admin")
    signer = ServiceSigner(GATEWAY, Keyring.open(platform.data.keys).identity(GATEWAY), SystemClock())
    verifier = AccessTokenVerifier(ISSUER, SystemClock())
    verifier.load(await platform.port(Tokens).keys())

    def headers(person: Principal | None) -> dict[str, str]:
        return {"authorization": f"Bearer {signer.token(AUTH, person).reveal()}", "x-request-id": "r1"}

    async with httpx.AsyncClient(base_url=platform.urls[AUTH], trust_env=False) as client:
        login = {"name": "root", "password": password.reveal()}
        tokens = (await client.post("/api/v1/login", json=login, headers=headers(None))).json()
        root = verifier.principal(tokens["access_token"])
        token = {"label": "x", "scopes": ["log:read"], "days": 1}
        made = (await client.post("/api/v1/tokens", json=token, headers=headers(root))).json()["token"]
        query = {"act": "token.created"}
        [event] = (await client.get("/api/v1/audit", params=query, headers=headers(root))).json()["items"]
    assert (event["actor"], event["request"], event["accountable"]) == ("root", "r1", True)

    found = await until(lambda: of_type(platform, "token.created"))
    assert [entry.actor for entry in found] == ["user"]
    body = json.loads(await platform.port(DataChain).get(digest=found[0].body))
    assert {name: body[name] for name in ("actor", "account", "token", "event", "outcome")} == {
        "actor": "root",
        "account": "root",
        "token": made["id"],
        "event": event["id"],
        "outcome": "done",
    }
    assert len(await of_type(platform, "account.created")) == 2  # admin, root
