"""Service identities: each service signs what it says to another with a key of its own.

A call carries a token with issuer (the caller), audience (the one called), and a life of a minute. The API gateway also
states in it for whom it asks (`principal`); from others such a statement is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret
from lucid.crypto import jwt
from lucid.model.principal import Principal

LIFE_S = 60
_RENEW_S = 20
_REMEMBER = 4096

GATEWAY = "api-gateway"
"""The one service that may speak for people."""


@dataclass(frozen=True)
class CallerIdentity:
    """Who makes a call, and for whom."""

    service: str
    principal: Principal | None = None


class ServiceSigner:
    """Makes the tokens of one service. They are made once for many calls and renewed before they end."""

    def __init__(self, service: str, key: jwt.TokenKey, clock: Clock) -> None:
        self.service = service
        self._key = key
        self._clock = clock
        self._made: dict[tuple[str, str], tuple[int, Secret]] = {}

    def token(self, audience: str, principal: Principal | None = None) -> Secret:
        """A token for calls to the service `audience`, for `principal` when a person is asking."""
        stated = principal.model_dump_json() if principal else ""
        # By the clock that the token tells: after one that is set back it would not be valid yet.
        seconds = int(_seconds(self._clock))
        made = self._made.get((audience, stated))
        if made and 0 <= seconds - made[0] < _RENEW_S:
            return made[1]
        if len(self._made) >= _REMEMBER:
            self._made = {key: value for key, value in self._made.items() if 0 <= seconds - value[0] < _RENEW_S}
            if len(self._made) >= _REMEMBER:
                self._made.clear()
        claims: dict[str, Any] = {
            "iss": self.service,
            "sub": self.service,
            "aud": audience,
            "iat": seconds,
            "exp": seconds + LIFE_S,
        }
        if stated:
            claims["principal"] = json.loads(stated)
        token = self._key.sign(claims)
        self._made[(audience, stated)] = (seconds, token)
        return token


class ServiceVerifier:
    """Checks tokens that are shown to one service. `peers` are the public keys of all services by name."""

    def __init__(self, service: str, peers: Mapping[str, Ed25519PublicKey], clock: Clock) -> None:
        self._service = service
        self._peers = {name: {jwt.thumbprint(key): key} for name, key in peers.items()}
        self._names = {jwt.thumbprint(key): name for name, key in peers.items()}
        self._clock = clock
        self._seen: dict[str, tuple[float, CallerIdentity]] = {}

    def caller(self, token: str) -> CallerIdentity:
        """Who signed the token. Raises Unauthenticated."""
        now = self._clock.monotonic()
        if (seen := self._seen.get(token)) and now < seen[0]:
            return seen[1]
        name = self._names.get(jwt.key_id(token))
        if name is None:
            raise Unauthenticated("the token is signed by an unknown service")
        seconds = _seconds(self._clock)
        claims = jwt.verify(token, self._peers[name], issuer=name, audience=self._service, now=seconds)
        caller = CallerIdentity(name, _principal(claims, name))
        if len(self._seen) >= _REMEMBER:
            self._seen.clear()
        self._seen[token] = (now + max(0.0, min(claims["exp"] - seconds, _RENEW_S)), caller)
        return caller


def _principal(claims: Mapping[str, Any], name: str) -> Principal | None:
    if "principal" not in claims:
        return None
    if name != GATEWAY:
        raise Unauthenticated(f"{name} may not speak for people")
    try:
        return Principal.model_validate_json(json.dumps(claims["principal"]))
    except ValidationError:
        raise Unauthenticated("the token's principal is malformed") from None


def _seconds(clock: Clock) -> float:
    return parse_time(clock.now()).timestamp()
