"""Rotation of the signing keys breaks nobody, and replicas agree."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.access.seal import AccountSeal
from lucid.access.signing_keys import SIGNING_KEYS, KeyState, RotationRules, SigningKeys
from lucid.access.tokens import AccessTokens, TokenRules
from lucid.access.verifying import ISSUER, MAX_LIFE_S, AccessTokenVerifier, UnknownKey
from lucid.base.clock import shift_time
from lucid.base.errors import Conflict, Corrupted, Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.access import Account, Revocation
from lucid.services.lucid_auth_service.routes.keys import key_routes
from lucid.services.lucid_auth_service.service import AuthService
from tests.asking import asking, person
from tests.clocks import TurnedClock as FullClock
from tests.services.lucid_auth_service.auth_kit import TurnedClock

SEAL = AccountSeal(Secret("5a" * 32))
RULES = RotationRules(rotate_s=86_400.0, cache_s=300.0)
ADA = Account(name="ada", role="user", created="2026-11-22T21:42:00.000000Z")
LIFE_S = 900


def keys_of(documents: SqliteDocuments, clock: TurnedClock, seal: AccountSeal = SEAL) -> SigningKeys:
    return SigningKeys(RULES, seal=seal, documents=documents, clock=clock)


async def token_of(keys: SigningKeys, clock: TurnedClock) -> str:
    issuing = AccessTokens(TokenRules(ISSUER, LIFE_S), keys=keys, clock=clock)
    token = await issuing.issue(ADA, session="s", authenticated=clock.now(), methods=("pwd",))
    return token.reveal()


class Caching:
    """A verifier that fetches the keys at most so often, and never because of a key that it does not know."""

    def __init__(self, keys: SigningKeys, clock: TurnedClock) -> None:
        self._keys = keys
        self._clock = clock
        self._verifier = AccessTokenVerifier(ISSUER, _Wall(clock))
        self._fetched = ""

    async def check(self, token: str) -> None:
        if not self._fetched or self._clock.now() >= shift_time(self._fetched, RULES.cache_s):
            self._verifier.load(await self._keys.jwks())
            self._fetched = self._clock.now()
        assert self._verifier.principal(token).user == "ada"


class _Wall(FullClock):
    """The wall time of another clock."""

    def __init__(self, clock: TurnedClock) -> None:
        super().__init__()
        self._clock = clock

    def now(self) -> str:
        return self._clock.now()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([1, 60, 290, 310, 890, 3700, 86_500]), min_size=5, max_size=25), st.randoms())
def test_no_token_is_refused_before_its_time(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], random: Any
) -> None:
    """Two replicas issue and rotate at will; verifiers that cache check every token until it expires."""

    async def check() -> None:
        documents = await SqliteDocuments.open(tmp_path_factory.mktemp("keys") / "documents.sqlite")
        clock = TurnedClock()
        replicas = [keys_of(documents, clock) for _ in range(2)]
        verifiers = [Caching(replica, clock) for replica in replicas]
        living: list[tuple[str, str]] = []
        for step in steps:
            await random.choice(replicas).maintain()
            if random.random() < 0.5:
                with contextlib.suppress(Conflict):
                    await random.choice(replicas).rotate()
            living.append((await token_of(random.choice(replicas), clock), _later(clock, LIFE_S)))
            for verifier in verifiers:
                for token, ends in living:
                    if clock.now() < ends and random.random() < 0.8:
                        await verifier.check(token)
            clock.turn(step)
        await documents.aclose()

    asyncio.run(check())


def _later(clock: TurnedClock, seconds: float) -> str:
    return shift_time(clock.now(), seconds)


async def states(documents: SqliteDocuments) -> list[str]:
    found = await documents.find(SIGNING_KEYS)
    return [key["state"] for key in found[0].body["keys"]]


async def test_keys_go_from_next_to_current_to_retired_and_away(documents: SqliteDocuments, clock: TurnedClock) -> None:
    keys = keys_of(documents, clock)
    await keys.maintain()
    assert await states(documents) == [KeyState.CURRENT, KeyState.NEXT]
    following = (await keys.jwks())["keys"][1]["kid"]
    clock.turn(RULES.rotate_s)
    await keys.maintain()
    assert await states(documents) == [KeyState.RETIRED, KeyState.CURRENT, KeyState.NEXT]
    assert (await keys.signer()).id == following
    clock.turn(MAX_LIFE_S + 120)
    await keys.maintain()
    assert await states(documents) == [KeyState.CURRENT, KeyState.NEXT]


async def test_a_rotation_waits_until_all_have_the_next_key(documents: SqliteDocuments, clock: TurnedClock) -> None:
    keys = keys_of(documents, clock)
    kid = await keys.rotate()
    assert (await keys.signer()).id == kid
    clock.turn(RULES.cache_s - 1)
    with pytest.raises(Conflict) as refused:
        await keys.rotate()
    assert refused.value.retry_after_s == 1
    clock.turn(1)
    assert await keys.rotate() != kid


async def test_of_rotations_at_once_one_happens(documents: SqliteDocuments, clock: TurnedClock) -> None:
    replicas = [keys_of(documents, clock) for _ in range(5)]
    await asyncio.gather(*(replica.maintain() for replica in replicas))
    assert await states(documents) == [KeyState.CURRENT, KeyState.NEXT]
    done = await asyncio.gather(*(replica.rotate() for replica in replicas), return_exceptions=True)
    assert sum(isinstance(one, str) for one in done) == 1
    assert await states(documents) == [KeyState.RETIRED, KeyState.CURRENT, KeyState.NEXT]
    sets = [await replica.jwks() for replica in replicas]
    assert all(one == sets[0] for one in sets)


async def test_private_keys_are_sealed(documents: SqliteDocuments, clock: TurnedClock) -> None:
    keys = keys_of(documents, clock)
    secret = (await keys.signer()).format().reveal()
    assert secret not in str(await documents.find(SIGNING_KEYS))
    with pytest.raises(Corrupted):
        await keys_of(documents, clock, AccountSeal(Secret("a5" * 32))).signer()


async def test_a_verifier_tells_an_unknown_key_from_a_bad_token(documents: SqliteDocuments, clock: TurnedClock) -> None:
    keys = keys_of(documents, clock)
    token = await token_of(keys, clock)
    verifier = AccessTokenVerifier(ISSUER, _Wall(clock))
    with pytest.raises(UnknownKey):
        verifier.principal(token)
    verifier.load(await keys.jwks())
    who = verifier.principal(token)
    assert (who.user, who.role, who.session, who.methods) == ("ada", "user", "s", ("pwd",))
    for bad in (token[:-10], token.replace(".", "..", 1), "", "x.y.z", token + "x"):
        with pytest.raises(Unauthenticated) as refused:
            verifier.principal(bad)
        assert not isinstance(refused.value, UnknownKey)
    other = AccessTokenVerifier("somebody-else", _Wall(clock))
    other.load(await keys.jwks())
    with pytest.raises(Unauthenticated):
        other.principal(token)
    clock.turn(LIFE_S + 5)
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.principal(token)


def test_many_revocations_cost_no_time() -> None:
    """A client may log out twenty times a minute, and the gateway reads them all anew every half minute."""
    clock = FullClock()
    verifier = AccessTokenVerifier(ISSUER, clock)
    begin = time.process_time()
    for number in range(10_000):
        verifier.revoke(Revocation(user="ada", session=f"s{number}", time=clock.now()))
    assert time.process_time() - begin < 1.0
    clock.advance(MAX_LIFE_S + 100)
    verifier.revoke(Revocation(user="ada", session="last", time=clock.now()))
    assert list(verifier._sessions) == ["last"]


async def test_a_verifier_forgets_tokens_with_their_key(documents: SqliteDocuments, clock: TurnedClock) -> None:
    keys = keys_of(documents, clock)
    token = await token_of(keys, clock)
    verifier = AccessTokenVerifier(ISSUER, _Wall(clock))
    verifier.load(await keys.jwks())
    verifier.principal(token)
    verifier.load({"keys": []})
    with pytest.raises(UnknownKey):
        verifier.principal(token)
    for jwks in ({}, {"keys": [{"kty": "RSA"}]}, {"keys": [{"kid": "x", "kty": "oct", "k": "AA"}]}, {"keys": [7]}):
        with pytest.raises(Corrupted):
            verifier.load(jwks)


async def test_revocations_end_what_they_name(documents: SqliteDocuments, clock: TurnedClock) -> None:
    keys = keys_of(documents, clock)
    verifier = AccessTokenVerifier(ISSUER, _Wall(clock))
    verifier.load(await keys.jwks())
    before = await token_of(keys, clock)
    verifier.revoke(Revocation(user="eve", time=clock.now()))
    verifier.revoke(Revocation(user="ada", session="other", time=clock.now()))
    verifier.principal(before)
    verifier.revoke(Revocation(user="ada", time=clock.now()))
    with pytest.raises(Unauthenticated, match="ended"):
        verifier.principal(before)
    clock.turn(0.000001)
    after = await token_of(keys, clock)
    verifier.principal(after)
    verifier.revoke(Revocation(user="ada", session="s", time=clock.now()))
    with pytest.raises(Unauthenticated, match="ended"):
        verifier.principal(after)


async def test_the_api_shows_and_rotates_the_keys(service: AuthService) -> None:
    routes = key_routes(service.credentials.keys, service.acts, cache_s=300)
    async with asking(routes, None) as client:
        answer = await client.get("/api/v1/keys")
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert set(answer.json()["keys"][0]) == {"kty", "crv", "x", "kid", "alg", "use"}
        assert (await client.post("/api/v1/keys/rotation")).status_code == 401
    async with asking(routes, person("ada", "developer")) as client:
        assert (await client.post("/api/v1/keys/rotation")).status_code == 403
    async with asking(routes, person("root", "admin")) as client:
        first, second = await client.post("/api/v1/keys/rotation"), await client.post("/api/v1/keys/rotation")
    assert (first.status_code, second.status_code) == (201, 409)
    assert first.json()["kid"] == answer.json()["keys"][1]["kid"]
    assert second.json()["retry_after_s"] == 300
