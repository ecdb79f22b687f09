"""Access tokens: short-lived JWTs (RFC 9068 in spirit) that say who somebody is and what the role allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lucid.access.api_tokens import ApiTokens
from lucid.access.revocations import Revocations
from lucid.access.signing_keys import SigningKeys
from lucid.access.verifying import AUDIENCE
from lucid.base.clock import Clock, parse_time
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.model.permission import ROLES
from lucid.model.principal import Method, Principal
from lucid.ports.access import Account, Revocation


@dataclass(frozen=True)
class TokenRules:
    """Who issues access tokens, and how long they live in seconds."""

    issuer: str
    life_s: int = 900


class AccessTokens:
    """Makes access tokens."""

    def __init__(self, rules: TokenRules, *, keys: SigningKeys, clock: Clock) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock

    @property
    def life_s(self) -> int:
        return self._rules.life_s

    async def issue(self, account: Account, *, session: str, authenticated: str, methods: Sequence[Method]) -> Secret:
        """A token for a login of the account that began at `authenticated`."""
        # Fractions of seconds (RFC 7519 section 2) tell a login from one that was ended in the same second.
        now = parse_time(self._clock.now()).timestamp()
        claims = {
            "iss": self._rules.issuer,
            "aud": AUDIENCE,
            "sub": account.name,
            "sid": session,
            "jti": new_session_id(),
            "role": account.role,
            "scope": " ".join(sorted(ROLES[account.role])),
            "amr": list(methods),
            "auth_time": parse_time(authenticated).timestamp(),
            "iat": now,
            "nbf": now,
            "exp": now + self._rules.life_s,
        }
        return (await self._keys.signer()).sign(claims)


class TokenDesk:
    """Port Tokens."""

    def __init__(self, *, keys: SigningKeys, api_tokens: ApiTokens, revocations: Revocations) -> None:
        self._keys = keys
        self._api_tokens = api_tokens
        self._revocations = revocations

    async def keys(self) -> dict[str, Any]:
        return await self._keys.jwks()

    async def principal(self, *, token: Secret) -> Principal:
        return await self._api_tokens.principal(token)

    async def revocations(self) -> list[Revocation]:
        return await self._revocations.all()
