"""Services know each other by what they sign, and only the gateway speaks for people."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.clock import parse_time
from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret
from lucid.crypto.identity import GATEWAY, LIFE_S, ServiceSigner, ServiceVerifier
from lucid.crypto.jwt import LEEWAY_S, TokenKey
from lucid.model.permission import ROLES
from lucid.model.principal import Principal
from tests.clocks import TurnedClock

SEEDS = {name: Secret(f"{number:02x}" * 32) for number, name in enumerate((GATEWAY, "recorder", "storage"), start=1)}
KEYS = {name: TokenKey.parse(seed) for name, seed in SEEDS.items()}
PEERS = {name: key.private.public_key() for name, key in KEYS.items()}
ADA = Principal(user="ada", role="admin", permissions=ROLES["admin"], methods=("pwd", "otp"), token="t", session="s")


def verifier(clock: TurnedClock, service: str = "storage") -> ServiceVerifier:
    return ServiceVerifier(service, PEERS, clock)


def refuse(token: str, clock: TurnedClock, match: str | None = None, service: str = "storage") -> None:
    with pytest.raises(Unauthenticated, match=match):
        verifier(clock, service).caller(token)


def test_a_caller_is_known_by_its_key() -> None:
    clock = TurnedClock()
    token = ServiceSigner("recorder", KEYS["recorder"], clock).token("storage").reveal()
    caller = verifier(clock).caller(token)
    assert (caller.service, caller.principal) == ("recorder", None)


def test_the_gateway_says_for_whom_it_asks() -> None:
    clock = TurnedClock()
    token = ServiceSigner(GATEWAY, KEYS[GATEWAY], clock).token("storage", ADA).reveal()
    assert verifier(clock).caller(token).principal == ADA


def test_nobody_else_speaks_for_people() -> None:
    clock = TurnedClock()
    refuse(ServiceSigner("recorder", KEYS["recorder"], clock).token("storage", ADA).reveal(), clock, "may not speak")


def test_a_token_is_for_one_service() -> None:
    clock = TurnedClock()
    refuse(ServiceSigner("recorder", KEYS["recorder"], clock).token("storage").reveal(), clock, service="recorder")


def test_a_service_cannot_call_itself_another() -> None:
    clock = TurnedClock()
    refuse(ServiceSigner(GATEWAY, KEYS["recorder"], clock).token("storage").reveal(), clock)


def test_a_stranger_is_refused() -> None:
    clock = TurnedClock()
    refuse(ServiceSigner("recorder", TokenKey.generate(), clock).token("storage").reveal(), clock, "unknown service")


def test_a_token_ends_also_where_it_is_remembered() -> None:
    clock = TurnedClock()
    token = ServiceSigner("recorder", KEYS["recorder"], clock).token("storage").reveal()
    known = verifier(clock)
    known.caller(token)
    clock.advance(LIFE_S + LEEWAY_S)
    with pytest.raises(Unauthenticated, match="expired"):
        known.caller(token)


def test_a_signer_renews_its_token_in_time() -> None:
    clock = TurnedClock()
    signer, known = ServiceSigner("recorder", KEYS["recorder"], clock), verifier(clock)
    seen = set()
    for _ in range(20):
        token = signer.token("storage").reveal()
        known.caller(token)
        seen.add(token)
        clock.advance(LIFE_S / 4)
    assert 1 < len(seen) < 20


def test_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    clock = TurnedClock()
    signer, known = ServiceSigner("recorder", KEYS["recorder"], clock), verifier(clock)
    signer.token("storage")
    clock.advance(-3600)
    assert known.caller(signer.token("storage").reveal()).service == "recorder"


def forged(clock: TurnedClock, **claims: Any) -> str:
    """Signed by the gateway's key, whatever it says."""
    now = int(parse_time(clock.now()).timestamp())
    basis = {"iss": GATEWAY, "sub": GATEWAY, "aud": "storage", "iat": now, "exp": now + LIFE_S}
    return KEYS[GATEWAY].sign(basis | claims).reveal()


STATED = json.loads(ADA.model_dump_json())
JUNK = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)


@given(st.dictionaries(st.sampled_from([*STATED, "more"]), JUNK, min_size=1))
def test_a_malformed_principal_is_refused(changed: dict[str, Any]) -> None:
    clock = TurnedClock()
    try:
        found = verifier(clock).caller(forged(clock, principal=STATED | changed)).principal
    except Unauthenticated:
        return
    assert found is not None
    assert {name: found.model_dump(mode="json")[name] for name in changed} == changed


@pytest.mark.parametrize("principal", [None, "ada", [], 1, {}])
def test_a_principal_of_another_type_is_refused(principal: object) -> None:
    clock = TurnedClock()
    refuse(forged(clock, principal=principal), clock)


@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    refuse(text, TurnedClock())
