"""Who passes: every operation with every role, forged tokens, revoked ones, API tokens, limits."""

import asyncio
import base64
import json
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Path

from lucid.base.clock import SystemClock, shift_time
from lucid.crypto.jwt import TokenKey
from lucid.drivers.redis.bus import RedisBus
from lucid.drivers.redis.valkey import Valkey
from lucid.model.permission import ROLE_NAMES, ROLES, Permission, Role
from lucid.ports.access import REVOKED, Revocation
from lucid.ports.api import PUBLIC, SIGNED, Caller, requires
from tests.asking import person
from tests.services.api_gateway.gateway_kit import World
from tests.waiting import until

PREFIXES = {"things": ("/api/v1/things",)}


def things() -> APIRouter:
    """One operation for each permission, and one for everybody."""
    router = APIRouter()
    for permission in Permission:

        @router.get(f"/api/v1/things/{permission.name.lower()}/{{id}}", **requires(permission))
        async def look(id: Annotated[str, Path()], principal: Caller) -> str:
            return f"{principal.user} {id}"

    @router.post("/api/v1/things/login", **PUBLIC)
    async def login() -> str:
        return "welcome"

    @router.post("/api/v1/things/beat", **SIGNED)
    async def beat() -> str:
        return "heard"

    return router


async def a_client(world: World, token: str = "", **settings: Any) -> httpx.AsyncClient:
    await world.service("things", things(), PREFIXES["things"])
    return await world.client(await world.gateway(PREFIXES, **settings), token)


@pytest.mark.parametrize("role", ROLE_NAMES)
async def test_every_operation_is_denied_to_a_role_unless_granted(world: World, role: Role) -> None:
    client = await a_client(world, world.tokens.access("ada", role))
    for permission in Permission:
        answer = await client.get(f"/api/v1/things/{permission.name.lower()}/7")
        if permission in ROLES[role]:
            assert (answer.status_code, answer.json()) == (200, "ada 7")
        else:
            assert answer.status_code == 403
            assert permission.value in answer.json()["detail"]
            assert answer.headers["content-type"] == "application/problem+json"


async def test_nobody_passes_without_a_token_but_to_public_operations(world: World) -> None:
    client = await a_client(world)
    for permission in Permission:
        answer = await client.get(f"/api/v1/things/{permission.name.lower()}/7")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await client.post("/api/v1/things/login")).json() == "welcome"


def unsigned(claims: dict[str, Any], header: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def test_forged_tokens_are_refused(world: World) -> None:
    client = await a_client(world)
    tokens = world.tokens
    good, kid = tokens.claims("eve", "admin"), tokens.key.id
    stranger = TokenKey.generate()
    head, body, signature = tokens.access("eve", "user").split(".")
    raised = base64.urlsafe_b64encode(json.dumps(good).encode()).rstrip(b"=").decode()
    forged = {
        "alg none": unsigned(good, {"alg": "none", "kid": kid}),
        "alg none, no kid": unsigned(good, {"alg": "none"}),
        "HS256 with the public key": unsigned(good, {"alg": "HS256", "kid": kid}, b"x" * 32),
        "another key": stranger.sign(good).reveal(),
        "another key under our id": TokenKey(kid, stranger.private).sign(good).reveal(),
        "expired": tokens.key.sign({**good, "exp": good["iat"] - 60, "iat": good["iat"] - 120}).reveal(),
        "not valid yet": tokens.key.sign({**good, "nbf": good["iat"] + 600}).reveal(),
        "other audience": tokens.key.sign({**good, "aud": "things"}).reveal(),
        "other issuer": tokens.key.sign({**good, "iss": "eve"}).reveal(),
        "no expiry": tokens.key.sign({key: value for key, value in good.items() if key != "exp"}).reveal(),
        "no role": tokens.key.sign({key: value for key, value in good.items() if key != "role"}).reveal(),
        "changed body": f"{head}.{raised}.{signature}",
        "cut": f"{head}.{body}",
        "a service's token": world.identity.token("things", person(role="admin")).reveal(),
        "rubbish": "\t..;",
        "unknown API token": "lucid_pat_unknown",
    }
    for what, token in forged.items():
        answer = await client.get("/api/v1/things/hosts_read/7", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, what
    for value in ("Basic YTpi", "Bearer", "Token x"):
        answer = await client.get("/api/v1/things/hosts_read/7", headers={"Authorization": value})
        assert answer.status_code == 401, value


async def test_a_revoked_login_ends_at_once(world: World) -> None:
    client = await a_client(world, world.tokens.access(sid="s7"))
    other = {"Authorization": f"Bearer {world.tokens.access(sid='s8')}"}
    assert (await client.get("/api/v1/things/hosts_read/7")).status_code == 200
    revocation = Revocation(user="ada", session="s7", time=SystemClock().now())
    await world.bus.publish(REVOKED, revocation.model_dump())
    async with asyncio.timeout(5):
        while (await client.get("/api/v1/things/hosts_read/7")).status_code == 200:
            pass
    assert (await client.get("/api/v1/things/hosts_read/7", headers=other)).status_code == 200


async def test_what_was_revoked_before_the_gateway_began_is_known(world: World) -> None:
    later = shift_time(SystemClock().now(), 60)
    world.tokens.revoked.append(Revocation(user="ada", time=later))
    client = await a_client(world, world.tokens.access())
    assert (await client.get("/api/v1/things/hosts_read/7")).status_code == 401


async def test_a_new_key_is_fetched_when_a_token_names_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.services.api_gateway.authentication._RELOAD_S", 0.0)
    client = await a_client(world)
    world.tokens.key = TokenKey.generate()
    headers = {"Authorization": f"Bearer {world.tokens.access()}"}
    assert (await client.get("/api/v1/things/hosts_read/7", headers=headers)).status_code == 200


async def test_an_api_token_is_asked_for_once_in_a_while(world: World) -> None:
    small = person("bob").model_copy(update={"permissions": frozenset({Permission.HOSTS_READ})})
    world.tokens.api_tokens["lucid_pat_bob"] = small
    client = await a_client(world, "lucid_pat_bob")
    for _ in range(3):
        assert (await client.get("/api/v1/things/hosts_read/7")).json() == "bob 7"
    assert (await client.get("/api/v1/things/sessions_read/7")).status_code == 403
    assert world.tokens.asked == 1


async def test_wrong_api_tokens_are_remembered_too(world: World) -> None:
    client = await a_client(world, "lucid_pat_wrong")
    for _ in range(3):
        assert (await client.get("/api/v1/things/hosts_read/7")).status_code == 401
    assert world.tokens.asked == 1


async def test_a_user_is_limited_whatever_token_he_shows(world: World) -> None:
    client = await a_client(world, requests_per_minute_user=5)
    statuses = []
    for _ in range(8):
        headers = {"Authorization": f"Bearer {world.tokens.access()}"}
        answer = await client.get("/api/v1/things/hosts_read/7", headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [200] * 5 + [429] * 3
    assert 1 <= int(answer.headers["retry-after"]) <= 12
    assert answer.headers["ratelimit"].startswith('"user";r=0;t=')
    assert answer.headers["ratelimit-policy"] == '"user";q=5;w=60'
    assert answer.json()["retry_after_s"] > 0


async def test_logins_are_limited_more_strictly(world: World) -> None:
    client = await a_client(world, logins_per_minute_address=3)
    statuses = [(await client.post("/api/v1/things/login")).status_code for _ in range(5)]
    assert statuses == [200] * 3 + [429] * 2
    token = {"Authorization": f"Bearer {world.tokens.access()}"}
    assert (await client.get("/api/v1/things/hosts_read/7", headers=token)).status_code == 200


async def test_signed_requests_are_no_logins(world: World) -> None:
    """Many nodes may be behind one address, and people who log in with them."""
    client = await a_client(world, logins_per_minute_address=1, requests_per_minute_address=5)
    statuses = [(await client.post("/api/v1/things/beat")).status_code for _ in range(4)]
    assert statuses == [200] * 4
    assert (await client.post("/api/v1/things/login")).status_code == 200
    statuses = [(await client.post("/api/v1/things/beat")).status_code for _ in range(2)]
    assert statuses == [200, 429]


async def test_guessing_tokens_and_paths_is_limited_by_address(world: World) -> None:
    client = await a_client(world, "wrong", requests_per_minute_address=4)
    statuses = [(await client.get("/api/v1/things/hosts_read/7")).status_code for _ in range(3)]
    statuses += [(await client.get("/nothing")).status_code for _ in range(3)]
    assert statuses == [401, 401, 401, 404, 429, 429]


async def test_while_redis_is_away_the_gateway_counts_alone(world: World) -> None:
    client = await a_client(world, world.tokens.access(), requests_per_minute_token=3)
    world.bus.away = True
    statuses = [(await client.get("/api/v1/things/hosts_read/7")).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_requests_at_the_same_time_share_a_round_trip(world: World) -> None:
    client = await a_client(world, world.tokens.access())
    world.bus.batches.clear()
    answers = await asyncio.gather(*(client.get("/api/v1/things/hosts_read/7") for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(world.bus.batches) == 90
    assert len(world.bus.batches) < 30


async def test_limits_hold_across_two_gateways(world: World, tmp_path: Any) -> None:
    valkey = Valkey(tmp_path / "valkey")
    await valkey.start()
    world.stack.push_async_callback(valkey.stop)
    await world.service("things", things(), PREFIXES["things"])
    clients = []
    for _ in range(2):
        bus = RedisBus(valkey.url)
        world.stack.push_async_callback(bus.aclose)
        gateway = await world.gateway(PREFIXES, bus=bus, requests_per_minute_user=20)
        clients.append(await world.client(gateway, world.tokens.access()))
    requests = [client.get("/api/v1/things/hosts_read/7") for _ in range(20) for client in clients]
    statuses = [answer.status_code for answer in await asyncio.gather(*requests)]
    assert statuses.count(200) in (20, 21)  # one refills in three seconds
    assert statuses.count(200) + statuses.count(429) == 40


async def test_the_gateway_is_not_ready_before_it_knows_the_keys(world: World) -> None:
    gateway = await world.gateway(PREFIXES)
    await until(lambda: gateway._authenticator._loaded is not None)
    await gateway.check()
