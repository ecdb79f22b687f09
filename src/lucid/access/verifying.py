"""Access tokens, as whoever checks requests sees them: without I/O, fed with keys and revocations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import Corrupted, Unauthenticated
from lucid.crypto import jwt
from lucid.model.permission import Permission
from lucid.model.principal import Principal
from lucid.ports.access import Revocation

ISSUER = "lucid"
AUDIENCE = "lucid"
MAX_LIFE_S = 3600
"""No access token lives longer, in seconds: what was revoked before that needs no remembering."""

_REMEMBER = 4096
_FORGET_S = 60.0
"""How often at most revocations are looked through: some come in their thousands."""

_KNOWN = {permission.value: permission for permission in Permission}


class UnknownKey(Unauthenticated):
    """The token names a key that was not loaded. Load the keys anew, but not for every such token, and try again."""


@dataclass(frozen=True)
class _Verified:
    principal: Principal
    authenticated: float
    expires: float


class AccessTokenVerifier:
    """Checks access tokens of `issuer` by the keys given last. Tokens that were checked are remembered, so that a
    client's next request costs no signature check."""

    def __init__(self, issuer: str, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._verified: dict[str, _Verified] = {}
        self._sessions: dict[str, float] = {}
        self._users: dict[str, float] = {}
        self._forgotten = 0.0

    def load(self, jwks: Mapping[str, Any]) -> None:
        """Replace the keys by those of a JWKS (RFC 7517). Raises Corrupted when it holds anything but public Ed25519
        keys with a `kid`."""
        try:
            keys = {jwk["kid"]: jwt.public_of(jwk) for jwk in jwks["keys"]}
        except (KeyError, TypeError):
            raise Corrupted("JWKS: expected keys with a kid") from None
        if keys != self._keys:
            self._keys = keys
            self._verified.clear()

    def revoke(self, revocation: Revocation) -> None:
        """Refuse the tokens of a login, or those of a user's logins that began until then. Doing so twice is no
        error."""
        moment = parse_time(revocation.time).timestamp()
        if revocation.session:
            self._sessions[revocation.session] = max(moment, self._sessions.get(revocation.session, 0.0))
        else:
            self._users[revocation.user] = max(moment, self._users.get(revocation.user, 0.0))
        self._forget(self._now())

    def principal(self, token: str) -> Principal:
        """Who shows the token. Raises Unauthenticated: UnknownKey when newer keys may help."""
        now = self._now()
        found = self._verified.get(token)
        if found is None:
            found = self._verify(token, now)
            if len(self._verified) >= _REMEMBER:
                self._verified.clear()
            self._verified[token] = found
        if now >= found.expires + jwt.LEEWAY_S:
            raise Unauthenticated("the token has expired")
        who = found.principal
        if who.session in self._sessions or found.authenticated <= self._users.get(who.user, 0.0):
            raise Unauthenticated("the login was ended: log in again")
        return who

    def _verify(self, token: str, now: float) -> _Verified:
        if jwt.key_id(token) not in self._keys:
            raise UnknownKey("the token is signed by an unknown key")
        claims = jwt.verify(token, self._keys, issuer=self._issuer, audience=AUDIENCE, now=now)
        try:
            # What a newer service may permit is none of ours.
            permissions = frozenset(_KNOWN[name] for name in claims["scope"].split() if name in _KNOWN)
            principal = Principal(
                user=claims["sub"],
                role=claims["role"],
                permissions=permissions,
                methods=tuple(claims["amr"]),
                token=claims["jti"],
                session=claims["sid"],
            )
            return _Verified(principal, float(claims["auth_time"]), float(claims["exp"]))
        except (AttributeError, KeyError, OverflowError, TypeError, ValidationError, ValueError):
            raise Unauthenticated("the token's claims are malformed") from None

    def _forget(self, now: float) -> None:
        """Drop revocations whose tokens have all expired."""
        if abs(now - self._forgotten) < _FORGET_S:
            return
        self._forgotten = now
        limit = now - MAX_LIFE_S - jwt.LEEWAY_S
        self._sessions = {session: moment for session, moment in self._sessions.items() if moment > limit}
        self._users = {user: moment for user, moment in self._users.items() if moment > limit}

    def _now(self) -> float:
        return parse_time(self._clock.now()).timestamp()
