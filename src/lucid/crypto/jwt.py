"""JSON Web Tokens signed with Ed25519 (RFC 7519, RFC 8037): no other algorithm is ever made or taken."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from lucid.base.errors import Corrupted, Unauthenticated
from lucid.base.secret import Secret
from lucid.model.canonical import canonical_json

ALGORITHM = "EdDSA"
MAX_CHARACTERS = 16_384
"""A longer text is no token of ours; nothing is computed for it."""

LEEWAY_S = 5
"""How far the clocks of two machines may differ, in seconds."""

_MAX_TIME = 2**53

PublicKeys = Mapping[str, Ed25519PublicKey]
"""Keys by their id (`kid`)."""


@dataclass(frozen=True)
class TokenKey:
    """An Ed25519 key that signs tokens. `id` is the thumbprint of its public half (RFC 7638), unless given."""

    id: str
    private: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> Self:
        return cls.of(Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> Self:
        return cls(thumbprint(private.public_key()), private)

    @classmethod
    def parse(cls, secret: Secret) -> Self:
        """The key whose seed is `secret` in hex (32 bytes). Raises Corrupted."""
        try:
            return cls.of(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret.reveal())))
        except ValueError:
            raise Corrupted("token key: expected 32 bytes in hex") from None

    def format(self) -> Secret:
        """The form that `parse` reads."""
        raw = self.private.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        return Secret(raw.hex())

    def sign(self, claims: Mapping[str, Any]) -> Secret:
        """The claims as a signed token, in the compact form. Times in claims are seconds since 1970."""
        return Secret(jwt.encode(dict(claims), self.private, ALGORITHM, headers={"kid": self.id}))


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638 thumbprint: base64url of the SHA-256 of the canonical JWK."""
    digest = hashlib.sha256(canonical_json(public_jwk(key))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    """The key's required members as a JWK (RFC 8037 section 2)."""
    made: dict[str, Any] = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {name: made[name] for name in ("crv", "kty", "x")}


def public_of(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    """The key of a JWK. Raises Corrupted for anything but a public Ed25519 key."""
    try:
        key = OKPAlgorithm.from_jwk(dict(jwk))
    except (jwt.InvalidKeyError, KeyError, TypeError, ValueError):
        raise Corrupted("JWK: expected a public Ed25519 key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Corrupted("JWK: expected a public Ed25519 key")
    return key


def key_id(token: str) -> str:
    """The `kid` that a token names, unverified. Raises Unauthenticated when it is no token of ours."""
    if len(token) > MAX_CHARACTERS or not token.isascii():
        raise Unauthenticated("the token is malformed")
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, RecursionError):  # a header may be nested too deeply for the parser
        raise Unauthenticated("the token is malformed") from None
    found = head.get("kid")
    if head.get("alg") != ALGORITHM or not isinstance(found, str):
        raise Unauthenticated("the token is not signed with EdDSA by a named key")
    return found


def verify(token: str, keys: PublicKeys, *, issuer: str, audience: str, now: float) -> dict[str, Any]:
    """The claims of a token that one of `keys` signed for `audience` and that is valid at `now` (seconds since 1970).
    Raises Unauthenticated, which says what is wrong."""
    if (key := keys.get(key_id(token))) is None:
        raise Unauthenticated("the token is signed by an unknown key")
    try:
        # PyJWT would read the machine's clock for these; ours is given.
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "iat", "sub"]}
        claims: dict[str, Any] = jwt.decode(token, key, [ALGORITHM], options=options, audience=audience, issuer=issuer)
    except jwt.InvalidTokenError as error:
        raise Unauthenticated(f"the token is not valid: {error}") from None
    begins, ends = claims.get("nbf", claims["iat"]), claims["exp"]
    if not all(
        type(value) in (int, float) and abs(value) < _MAX_TIME for value in (begins, ends)
    ):  # NaN is not, either
        raise Unauthenticated("the token is not valid: times must be numbers")
    if now >= ends + LEEWAY_S:
        raise Unauthenticated("the token has expired")
    if now < begins - LEEWAY_S:
        raise Unauthenticated("the token is not valid yet")
    return claims
