"""Forged, altered and misused access tokens at the real door: every one is refused, and as a problem document."""

import base64
import hmac
import json
import random
from typing import Any

import httpx
import jwt
import pytest

from lucid.access.signing_keys import SigningKeys
from lucid.crypto.jwt import ALGORITHM, TokenKey
from lucid.runtime.platform import Platform
from tests.flow.test_api_permissions import client as client  # a fixture
from tests.flow.test_api_permissions import login
from tests.flow.test_api_permissions import platform as platform  # a fixture

Claims = dict[str, Any]
ASKED = "/api/v1/account"
SEED = 1


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(head: object, claims: object) -> str:
    """The part of a token that is signed."""
    return f"{base64url(json.dumps(head).encode())}.{base64url(json.dumps(claims).encode())}"


def by_hmac(head: Claims, claims: Claims, secret: bytes) -> str:
    """PyJWT refuses public keys as secrets of HS256, an attacker does not."""
    text = unsigned(head, claims)
    return f"{text}.{base64url(hmac.digest(secret, text.encode(), 'sha256'))}"


class Forger:
    """Who has a valid token, the public keys, and (to show that a signature is not all) the private one."""

    def __init__(self, http: httpx.AsyncClient, token: str, key: TokenKey, jwk: Claims) -> None:
        self.http, self.token, self.key, self.jwk = http, token, key, jwk
        self.head: Claims = jwt.get_unverified_header(token)
        self.claims: Claims = jwt.decode(token, options={"verify_signature": False})

    def signed(self, **changes: Any) -> str:
        """A token of the platform's own key with other claims; None: without the claim."""
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not None}
        return self.key.sign(claims).reveal()

    async def show(self, token: str) -> httpx.Response:
        return await self.http.get(ASKED, headers={"Authorization": f"Bearer {token}"})

    async def refused(self, token: str) -> None:
        answer = await self.show(token)
        assert answer.status_code == 401, (token, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["status"] == 401
        assert token not in answer.text or len(token) < 8


@pytest.fixture
async def forger(platform: Platform, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Forger:
    used: list[TokenKey] = []
    signer = SigningKeys.signer

    async def watched(keys: SigningKeys) -> TokenKey:
        used.append(await signer(keys))
        return used[-1]

    monkeypatch.setattr(SigningKeys, "signer", watched)
    assert platform.administrator_password is not None
    token = await login(client, "admin", platform.administrator_password.reveal())
    jwks = (await client.get("/api/v1/keys")).json()["keys"]
    jwk = next(one for one in jwks if one["kid"] == used[-1].id)
    return Forger(client, token, used[-1], jwk)


async def test_forged_tokens_are_refused(forger: Forger) -> None:
    assert (await forger.show(forger.token)).status_code == 200
    assert (await forger.show(forger.signed(jti="another"))).status_code == 200, "the forger's own tokens are well-made"
    head, claims, stranger = forger.head, forger.claims, TokenKey.generate()
    public = base64.urlsafe_b64decode(forger.jwk["x"] + "=")
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, [ALGORITHM]):
        await forger.refused(unsigned({**head, "alg": algorithm}, claims) + ".")
    for secret in (public, forger.jwk["x"].encode(), json.dumps(forger.jwk).encode(), b""):
        await forger.refused(by_hmac({**head, "alg": "HS256"}, claims, secret))
        await forger.refused(by_hmac(head, claims, secret))
    await forger.refused(stranger.sign(claims).reveal())  # a `kid` that nobody knows
    await forger.refused(TokenKey(forger.key.id, stranger.private).sign(claims).reveal())  # our `kid`, another's key
    kids: list[Any] = ["", "../../keys", forger.key.id + " ", "\x00", "x" * 8000, 1, None, [forger.key.id], {}]
    for kid in kids:
        text = unsigned({**head, "kid": kid}, claims)
        await forger.refused(f"{text}.{base64url(forger.key.private.sign(text.encode()))}")
    own_jwk = {**forger.jwk, "x": base64url(stranger.private.public_key().public_bytes_raw())}
    brought = unsigned({**head, "jwk": own_jwk, "jku": "https://attacker.example/keys"}, claims)
    await forger.refused(f"{brought}.{base64url(stranger.private.sign(brought.encode()))}")


async def test_tokens_of_the_right_key_for_something_else_are_refused(forger: Forger) -> None:
    now = forger.claims["iat"]
    misuses: list[Claims] = [
        {"exp": now - 60},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        {"exp": True},
        {"nbf": now + 3600, "iat": now + 3600},
        {"aud": "another-platform"},
        {"aud": None},
        {"aud": []},
        {"iss": "https://attacker.example"},
        {"iss": None},
        {"sub": None},
        {"sub": "../admin"},
        {"sub": ["admin"]},
        {"role": "owner"},
        {"scope": None},
        {"scope": ["accounts:manage"]},
        {"amr": 7},
        {"sid": None},
        {"jti": None},
    ]
    for changes in misuses:
        await forger.refused(forger.signed(**changes))


async def test_altered_tokens_are_refused(forger: Forger) -> None:
    text, _, signature = forger.token.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    for place in range(0, len(raw), 7):
        changed = raw.copy()
        changed[place] ^= 1 << place % 8
        await forger.refused(f"{text}.{base64url(bytes(changed))}")
    chance = random.Random(SEED)
    for _ in range(150):
        place, character = chance.randrange(len(text)), chance.choice("ABCxyz019-_.=+/~")
        for altered in (
            text[:place] + character + text[place + 1 :],
            text[:place] + character + text[place:],
            text[:place] + text[place + 1 :],
        ):
            if altered != text:
                await forger.refused(f"{altered}.{signature}")
    deep = base64url(b"[" * 4000)
    for other in (".", "..", "a.b.c", text, forger.token + ".", "lucid_pat_", "lucid_pat_0", f"{deep}.{deep}.{deep}"):
        await forger.refused(other)
    heads: list[Any] = [None, 1, "EdDSA", [], [forger.head], {}, {**forger.head, "crit": ["exp"]}]
    for head in heads:
        await forger.refused(f"{unsigned(head, forger.claims)}.{signature}")
    payloads: list[Any] = [None, 1, "admin", [forger.claims], {}]
    for payload in payloads:
        signed = unsigned(forger.head, payload)
        await forger.refused(f"{signed}.{base64url(forger.key.private.sign(signed.encode()))}")
