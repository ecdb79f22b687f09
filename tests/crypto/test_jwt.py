"""Tokens that are not exactly ours are refused, with one kind of error."""

import base64
import hmac
import json
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import Corrupted, Unauthenticated
from lucid.base.secret import Secret
from lucid.crypto import jwt

NOW = 1_800_000_000.0
KEY = jwt.TokenKey.parse(Secret("11" * 32))
OTHER = jwt.TokenKey.parse(Secret("22" * 32))
KEYS = {KEY.id: KEY.private.public_key()}
CLAIMS: dict[str, Any] = {"iss": "us", "aud": "them", "sub": "ada", "iat": NOW, "nbf": NOW, "exp": NOW + 60}


def check(token: str, now: float = NOW) -> dict[str, Any]:
    return jwt.verify(token, KEYS, issuer="us", audience="them", now=now)


def refuse(token: str, now: float = NOW, match: str | None = None) -> None:
    with pytest.raises(Unauthenticated, match=match):
        check(token, now)


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: Any, **head: Any) -> str:
    """A token with a good signature over whatever it says."""
    text = f"{part({'alg': 'EdDSA', 'kid': KEY.id} | head)}.{part(claims)}"
    return f"{text}.{part(KEY.private.sign(text.encode()))}"


def test_a_good_token_is_taken_until_it_expires() -> None:
    token = KEY.sign(CLAIMS).reveal()
    assert check(token)["sub"] == "ada"
    check(token, NOW + 60 + jwt.LEEWAY_S - 0.001)
    refuse(token, NOW + 60 + jwt.LEEWAY_S, "expired")
    check(token, NOW - jwt.LEEWAY_S)
    refuse(token, NOW - jwt.LEEWAY_S - 0.001, "not valid yet")


def test_what_a_key_writes_it_reads() -> None:
    assert jwt.TokenKey.parse(KEY.format()).id == KEY.id
    assert jwt.public_of(jwt.public_jwk(KEY.private.public_key())) == KEY.private.public_key()
    with pytest.raises(Corrupted):
        jwt.TokenKey.parse(Secret("11"))


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    """Appendix A.3."""
    key = jwt.public_of({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert jwt.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, 7, ["EdDSA"], "RS256", "ES256"])
def test_another_algorithm_is_refused(alg: Any) -> None:
    head, body = part({"alg": alg, "kid": KEY.id}), part(CLAIMS)
    refuse(f"{head}.{body}.")
    refuse(signed(CLAIMS, alg=alg))


def test_hs256_with_the_public_key_is_refused() -> None:
    public = KEY.private.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (raw, pem, part(raw).encode()):
        text = f"{part({'alg': 'HS256', 'kid': KEY.id})}.{part(CLAIMS)}"
        refuse(f"{text}.{part(hmac.digest(secret, text.encode(), 'sha256'))}")


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    jwk = jwt.public_jwk(OTHER.private.public_key())
    headers = {"kid": KEY.id, "jwk": jwk, "jku": "https://evil.example", "x5u": "https://evil.example"}
    refuse(pyjwt.encode(CLAIMS, OTHER.private, "EdDSA", headers=headers))


@pytest.mark.parametrize("kid", ["", "x", OTHER.id, None, 1, ["a"], {"a": 1}, "../../keys", KEY.id + "="])
def test_another_key_id_is_refused(kid: Any) -> None:
    refuse(signed(CLAIMS, kid=kid))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "others"},
        {"iss": None},
        {"iss": ["us"]},
        {"aud": "others"},
        {"aud": None},
        {"aud": []},
        {"aud": {"them": 1}},
        {"exp": None},
        {"exp": "1900000000"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"exp": [NOW]},
        {"exp": NOW - 60},
        {"nbf": NOW + 60},
        {"nbf": "now"},
        {"nbf": None},
        {"nbf": float("nan")},
        {"sub": 7},
    ],
    ids=str,
)
def test_claims_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    refuse(signed(CLAIMS | changed))


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "iat", "sub"])
def test_a_claim_must_not_be_missing(missing: str) -> None:
    refuse(signed({name: value for name, value in CLAIMS.items() if name != missing}))


@pytest.mark.parametrize("claims", [[], "text", 7, None, b"\xff", b"", b"[" * 5000, b"{" + b'"a":{' * 2000])
def test_claims_that_are_no_object_are_refused(claims: Any) -> None:
    refuse(signed(claims))


@pytest.mark.parametrize("head", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 9000, b'{"a":' * 1500, b"1" * 9000])
def test_a_header_that_is_no_object_is_refused(head: bytes) -> None:
    refuse(f"{part(head)}.{part(CLAIMS)}.{part(b'x' * 64)}")


def test_critical_and_detached_headers_are_refused() -> None:
    refuse(signed(CLAIMS, crit=["exp"]))
    refuse(signed(CLAIMS, crit=["b64"], b64=False))


def test_a_huge_token_is_refused_unread() -> None:
    refuse(signed(CLAIMS | {"more": "x" * jwt.MAX_CHARACTERS}), match="malformed")
    refuse("." * 1_000_000)


@given(st.data())
def test_a_changed_character_is_noticed(data: st.DataObject) -> None:
    token = KEY.sign(CLAIMS).reveal()
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + data.draw(st.characters(codec="utf-8")) + token[at + 1 :]
    # The last character of base64 has bits that belong to no byte.
    if changed != token and at not in (token.index(".") - 1, token.rindex(".") - 1, len(token) - 1):
        refuse(changed)


@given(st.data())
def test_a_part_of_a_token_is_none(data: st.DataObject) -> None:
    token = KEY.sign(CLAIMS).reveal()
    refuse(token[: data.draw(st.integers(0, len(token) - 2))])
    refuse(token[data.draw(st.integers(1, len(token))) :])


@given(st.text(st.characters(), max_size=400) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_text_is_refused(text: str) -> None:
    refuse(text)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c"]), ANYTHING))
def test_any_header_is_refused_or_harmless(head: dict[str, Any]) -> None:
    try:
        claims = check(signed(CLAIMS, **head))
    except Unauthenticated:
        return
    assert claims == CLAIMS


@given(st.dictionaries(st.sampled_from(sorted(CLAIMS)), ANYTHING))
def test_any_claims_are_refused_or_hold(changed: dict[str, Any]) -> None:
    try:
        claims = check(signed(CLAIMS | changed))
    except Unauthenticated:
        return
    assert claims["iss"] == "us"
    assert "them" in claims["aud"]
    assert claims["exp"] + jwt.LEEWAY_S > NOW
