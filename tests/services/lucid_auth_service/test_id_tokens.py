"""ID tokens that are not exactly the provider's answer to this login are refused."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from lucid.access.oidc_provider import OidcClient, OidcProvider
from lucid.base.clock import parse_time
from lucid.base.errors import InvalidInput, LucidError, Unauthenticated, Unavailable
from lucid.base.secret import Secret
from lucid.ports.web import WebAnswer
from tests.clocks import TurnedClock

ISSUER, CLIENT_ID, NONCE = "https://id.example.org", "lucid", "the-nonce"
CLIENT = OidcClient(ISSUER, CLIENT_ID, Secret("the-secret-of-the-client"), "https://lucid.example.org/callback")
KEY, OTHER = (RSAKey.generate_key(2048, auto_kid=True) for _ in range(2))
NOW = parse_time(TurnedClock().now()).timestamp()
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT_ID,
    "sub": "7",
    "iat": NOW,
    "exp": NOW + 300,
    "nonce": NONCE,
    "preferred_username": "ada",
}
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "userinfo_endpoint": f"{ISSUER}/userinfo",
}


class Site:
    """The provider's web site: what it answers by path, and what it was asked."""

    def __init__(self, token: object = None, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "/.well-known/openid-configuration": METADATA,
            "/jwks": {"keys": [KEY.as_dict(private=False)]},
            "/token": {"id_token": token, "access_token": "at"},
            "/userinfo": {"sub": "7", "groups": ["g"]},
        } | answers
        self.asked: list[str] = []
        self.forms: list[Mapping[str, str]] = []

    async def get(self, *, url: str, bearer: Secret | None = None) -> WebAnswer:
        path = url.removeprefix(ISSUER)
        self.asked.append(path)
        answer = self.answers[path]
        if isinstance(answer, WebAnswer):
            return answer
        return WebAnswer(200, json.dumps(answer).encode())

    async def post_form(
        self, *, url: str, fields: Mapping[str, str], login: tuple[str, Secret] | None = None
    ) -> WebAnswer:
        self.forms.append(fields)
        return await self.get(url=url)


def signed(claims: Any, key: Key = KEY, alg: str = "RS256", **head: Any) -> str:
    return jwt.encode({"alg": alg, "kid": key.kid, **head}, claims, key, algorithms=[alg])


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def ask(site: Site, **changes: Any) -> dict[str, Any]:
    values = {"code": "c", "issuer": None, "nonce": NONCE, "verifier": "v", "wanted": ()} | changes
    return await OidcProvider(CLIENT, web=site, clock=TurnedClock()).claims(**values)


async def refuse(token: object) -> None:
    with pytest.raises(Unauthenticated):
        await ask(Site(token))


async def test_a_good_token_is_taken() -> None:
    site = Site(signed(CLAIMS))
    assert (await ask(site))["preferred_username"] == "ada"
    assert site.forms == [
        {
            "grant_type": "authorization_code",
            "code": "c",
            "redirect_uri": CLIENT.redirect_url,
            "code_verifier": "v",
            "client_id": CLIENT_ID,
        }
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": []},
        {"aud": None},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": NOW + 61},
        {"iat": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": None},
    ],
    ids=str,
)
async def test_claims_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    await refuse(signed(CLAIMS | changes))


async def test_several_audiences_are_taken_when_it_was_made_for_us() -> None:
    assert await ask(Site(signed(CLAIMS | {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID})))


async def test_unsigned_and_symmetric_tokens_are_refused() -> None:
    for alg in ("none", "None", "", None, "HS256", "RS256"):
        await refuse(f"{part({'alg': alg, 'kid': KEY.kid})}.{part(CLAIMS)}.")
    public = KEY.as_pem(private=False)
    for secret in (CLIENT.client_secret.reveal().encode(), public, b""):
        text = f"{part({'alg': 'HS256', 'kid': KEY.kid})}.{part(CLAIMS)}"
        mac = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
        await refuse(f"{text}.{mac}")
    shared = OctKey.generate_key(256, auto_kid=True)
    site = Site(signed(CLAIMS, shared, "HS256"), **{"/jwks": {"keys": [shared.as_dict(private=True)]}})
    with pytest.raises(Unauthenticated):
        await ask(site)


async def test_another_key_is_refused() -> None:
    await refuse(signed(CLAIMS, OTHER))
    await refuse(signed(CLAIMS, OTHER, kid=KEY.kid))
    await refuse(signed(CLAIMS, OTHER, jwk=OTHER.as_dict(private=False), kid=KEY.kid))


@pytest.mark.parametrize(
    ("make", "alg"),
    [
        (lambda: ECKey.generate_key("P-256", auto_kid=True), "ES256"),
        (lambda: OKPKey.generate_key("Ed25519", auto_kid=True), "Ed25519"),
        (lambda: RSAKey.generate_key(2048, auto_kid=True), "PS512"),
    ],
)
async def test_other_public_keys_are_good(make: Callable[[], Key], alg: str) -> None:
    key = make()
    keys = {"keys": [{"kty": "new", "kid": "x"}, 7, KEY.as_dict(private=False), key.as_dict(private=False)]}
    assert await ask(Site(signed(CLAIMS, key, alg), **{"/jwks": keys}))


async def test_keys_are_fetched_anew_when_the_provider_rotates_them() -> None:
    clock = TurnedClock()
    site = Site(signed(CLAIMS))
    provider = OidcProvider(CLIENT, web=site, clock=clock)
    values: dict[str, Any] = {"code": "c", "issuer": None, "nonce": NONCE, "verifier": "v", "wanted": ()}
    await provider.claims(**values)
    site.answers |= {"/jwks": {"keys": [OTHER.as_dict(private=False)]}, "/token": {"id_token": signed(CLAIMS, OTHER)}}
    with pytest.raises(Unauthenticated):
        await provider.claims(**values)  # not asked again so soon, whatever key is named
    assert site.asked.count("/jwks") == 1
    clock.advance(11)
    await provider.claims(**values)
    assert site.asked.count("/jwks") == 2


async def test_missing_claims_are_asked_for() -> None:
    assert (await ask(Site(signed(CLAIMS)), wanted=("groups",)))["groups"] == ["g"]
    site = Site(signed(CLAIMS))
    await ask(site, wanted=("preferred_username",))
    assert "/userinfo" not in site.asked
    with pytest.raises(Unauthenticated, match="somebody else"):
        await ask(Site(signed(CLAIMS), **{"/userinfo": {"sub": "8", "groups": ["admins"]}}), wanted=("groups",))


async def test_an_answer_of_another_issuer_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="another identity provider"):
        await ask(Site(signed(CLAIMS)), issuer="https://evil.example")
    assert await ask(Site(signed(CLAIMS)), issuer=ISSUER)
    says = METADATA | {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(Unauthenticated, match="another identity provider"):
        await ask(Site(signed(CLAIMS), **{"/.well-known/openid-configuration": says}))


@pytest.mark.parametrize(
    "metadata",
    [
        WebAnswer(500, b""),
        WebAnswer(200, b"<html>"),
        WebAnswer(200, b"[" * 100_000),
        WebAnswer(302, b"{}"),
        {},
        METADATA | {"issuer": "https://evil.example"},
        METADATA | {"token_endpoint": "http://id.example.org/token"},
        METADATA | {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_provider_that_cannot_be_trusted_is_not_used(metadata: object) -> None:
    site = Site(signed(CLAIMS), **{"/.well-known/openid-configuration": metadata})
    with pytest.raises(Unavailable):
        await ask(site)
    assert site.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("issuer", ["http://id.example.org", "id.example.org", "ftp://x", "https//x", "http://[::1"])
def test_an_issuer_is_reached_over_tls(issuer: str) -> None:
    with pytest.raises(InvalidInput):
        OidcProvider(OidcClient(issuer, "x", Secret("y"), "https://z"), web=Site(), clock=TurnedClock())


async def test_the_browser_is_sent_with_a_challenge() -> None:
    provider = OidcProvider(CLIENT, web=Site(), clock=TurnedClock())
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
    url = await provider.authorization_url(state=Secret("s"), nonce="n", verifier=verifier)
    assert url.startswith(f"{ISSUER}/authorize?tenant=1&response_type=code&client_id=lucid&")
    assert "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256" in url
    assert verifier not in url


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(token=ANYTHING | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True))
async def test_any_token_is_refused(token: object) -> None:
    await refuse(token)


@given(answer=ANYTHING, where=st.sampled_from(["/token", "/jwks", "/.well-known/openid-configuration", "/userinfo"]))
async def test_any_answer_is_an_error_of_ours_or_good(answer: object, where: str) -> None:
    try:
        await ask(Site(signed(CLAIMS), **{where: answer}), wanted=("groups",))
    except LucidError:
        return
    assert where == "/userinfo"
