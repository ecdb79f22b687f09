"""An OpenID provider, as its client sees it: OpenID Connect Core 1.0 with the authorization code flow and PKCE."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from pydantic import BaseModel, ValidationError

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import InvalidInput, Unauthenticated, Unavailable
from lucid.base.secret import Secret
from lucid.model.canonical import first_problem
from lucid.ports.web import Web, WebAnswer

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
"""Signatures with a public key. Never `none`, and never a MAC: the client's secret proves nothing to others."""

LEEWAY_S = 60.0
_CACHE_S = 3600.0
_REFETCH_S = 10.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_log = structlog.get_logger()


@dataclass(frozen=True)
class OidcClient:
    """What the provider knows us by. `redirect_url` is where it sends people back to."""

    issuer: str
    client_id: str
    client_secret: Secret
    redirect_url: str
    scopes: str = "openid profile"


class _Metadata(BaseModel):
    """Of OpenID Connect Discovery 1.0, what is used here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class OidcProvider:
    """Finds the provider's addresses and keys, and turns a code into claims about a person."""

    def __init__(self, client: OidcClient, *, web: Web, clock: Clock) -> None:
        if not _is_safe(client.issuer):
            raise InvalidInput("oidc_issuer: expected an https address", field="oidc_issuer")
        self.issuer = client.issuer
        self._client = client
        self._web = web
        self._clock = clock
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, list[Key]] | None = None

    async def authorization_url(self, *, state: Secret, nonce: str, verifier: str) -> str:
        """Where the person's browser is sent. Raises Unavailable when the provider cannot be found."""
        metadata = await self._discover()
        digest = hashlib.sha256(verifier.encode()).digest()
        fields = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_url,
            "scope": self._client.scopes,
            "state": state.reveal(),
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        separator = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return metadata.authorization_endpoint + separator + urlencode(fields)

    async def claims(
        self, *, code: str, issuer: str | None, nonce: str, verifier: str, wanted: Sequence[str]
    ) -> dict[str, Any]:
        """What the provider says of the person who came back with `code`. `issuer` is what the address said
        (RFC 9207). When the ID token lacks a claim that is `wanted`, the userinfo endpoint is asked. Raises
        Unauthenticated, Unavailable."""
        metadata = await self._discover()
        if issuer != metadata.issuer and (issuer or metadata.authorization_response_iss_parameter_supported):
            raise Unauthenticated("the answer is of another identity provider")
        tokens = await self._exchange(metadata, code, verifier)
        claims = await self._verified(metadata, tokens.get("id_token"), nonce)
        if metadata.userinfo_endpoint and not claims.keys() >= set(wanted):
            claims = (
                await self._userinfo(metadata.userinfo_endpoint, tokens.get("access_token"), claims["sub"]) | claims
            )
        return claims

    async def _discover(self) -> _Metadata:
        now = self._clock.monotonic()
        if self._metadata is not None and now - self._metadata[0] < _CACHE_S:
            return self._metadata[1]
        answer = await self._web.get(url=self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            metadata = _Metadata.model_validate(_object(answer))
        except ValidationError as error:
            raise Unavailable(f"the identity provider's metadata: {first_problem(error)}") from None
        endpoints = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        if metadata.issuer != self.issuer or not all(map(_is_safe, endpoints)):
            raise Unavailable("the identity provider's metadata: of another issuer, or with an unsafe address")
        self._metadata = (now, metadata)
        return metadata

    async def _exchange(self, metadata: _Metadata, code: str, verifier: str) -> dict[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_url,
            "code_verifier": verifier,
            "client_id": self._client.client_id,
        }
        login = None
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            login = (self._client.client_id, self._client.client_secret)
        else:
            fields["client_secret"] = self._client.client_secret.reveal()
        answer = await self._web.post_form(url=metadata.token_endpoint, fields=fields, login=login)
        if 400 <= answer.status < 500:
            _log.warning("code refused", status=answer.status)
            raise Unauthenticated("the identity provider refused the code: begin again")
        return _object(answer)

    async def _verified(self, metadata: _Metadata, token: object, nonce: str) -> dict[str, Any]:
        """The claims of an ID token, checked as OpenID Connect Core section 3.1.3.7 says."""
        if not isinstance(token, str):
            raise Unauthenticated("the identity provider gave no ID token")
        try:
            claims = await self._decoded(metadata, token)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("the ID token is malformed or not signed by the identity provider") from None
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        now = parse_time(self._clock.now()).timestamp()
        subject, ends, made = claims.get("sub"), claims.get("exp"), claims.get("iat")
        if claims.get("iss") != metadata.issuer or self._client.client_id not in audiences:
            raise Unauthenticated("the ID token is of another issuer or for another client")
        if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != self._client.client_id:
            raise Unauthenticated("the ID token is for another client")
        if not isinstance(ends, int | float) or not isinstance(made, int | float) or not ends + LEEWAY_S > now:
            raise Unauthenticated("the ID token has expired")
        if not made - LEEWAY_S <= now:
            raise Unauthenticated("the ID token is not valid yet")
        if claims.get("nonce") != nonce:
            raise Unauthenticated("the ID token answers another login")
        if not isinstance(subject, str) or not subject:
            raise Unauthenticated("the ID token names nobody")
        return claims

    async def _decoded(self, metadata: _Metadata, token: str) -> dict[str, Any]:
        head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
        kid = head.get("kid")
        key = _choose(await self._jwks(metadata), kid)
        if key is None:  # the provider may have rotated its keys
            key = _choose(await self._jwks(metadata, max_age_s=_REFETCH_S), kid)
        if key is None:
            raise ValueError("no such key")
        return dict(jwt.decode(token, key, algorithms=ALGORITHMS).claims)

    async def _jwks(self, metadata: _Metadata, *, max_age_s: float = _CACHE_S) -> list[Key]:
        now = self._clock.monotonic()
        if self._keys is not None and now - self._keys[0] < max_age_s:
            return self._keys[1]
        found = _object(await self._web.get(url=metadata.jwks_uri)).get("keys")
        if not isinstance(found, list):
            raise Unavailable("the identity provider's keys are malformed")
        keys = [key for key in map(_key, found) if key is not None]
        self._keys = (now, keys)
        return keys

    async def _userinfo(self, url: str, token: object, subject: str) -> dict[str, Any]:
        if not isinstance(token, str) or not _is_safe(url):
            return {}
        answer = _object(await self._web.get(url=url, bearer=Secret(token)))
        if answer.get("sub") != subject:  # OpenID Connect Core section 5.3.2
            raise Unauthenticated("the identity provider speaks of somebody else")
        return answer


def _object(answer: WebAnswer) -> dict[str, Any]:
    try:
        value = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Unavailable(f"the identity provider answers with status {answer.status} and no JSON object")
    return value


def _key(jwk: object) -> Key | None:
    """A public key that may sign; others in the set are none of ours."""
    if not isinstance(jwk, Mapping) or jwk.get("use", "sig") != "sig" or jwk.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    try:
        return JWKRegistry.import_key(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _choose(keys: list[Key], kid: object) -> Key | None:
    """The key of that id; one that names none has to be the only one."""
    found = [key for key in keys if kid is None or key.kid == kid]
    return found[0] if len(found) == 1 else None


def _is_safe(url: str) -> bool:
    """Whether what is sent there stays between the two of us."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        return False
