"""Who makes a request: access tokens are checked here, personal API tokens asked for."""

import asyncio
import contextlib

import structlog
from pydantic import ValidationError

from lucid.access.verifying import AccessTokenVerifier, UnknownKey
from lucid.base.clock import Clock
from lucid.base.errors import LucidError, Unauthenticated, Unavailable
from lucid.base.secret import Secret
from lucid.base.tasks import Tasks
from lucid.model.principal import Principal
from lucid.ports.access import REVOKED, Revocation, Tokens
from lucid.ports.stores import Bus
from lucid.services.api_gateway.streams import Streams

API_TOKEN_PREFIX = "lucid_pat_"  # noqa: S105 - what every such token begins with

_REMEMBER_S = 5.0
"""How long an API token may still work after it was revoked."""

_REMEMBERED = 10_000
_REFRESH_S = 30.0
_RELOAD_S = 5.0
"""How often at most tokens of unknown keys make the gateway ask for the keys anew."""

_RETRY_S = 0.5
_READ_S = 10.0
_log = structlog.get_logger()


class Authenticator:
    """Follows keys and revocations between start() and stop()."""

    def __init__(
        self, verifier: AccessTokenVerifier, streams: Streams, *, tokens: Tokens, bus: Bus, clock: Clock
    ) -> None:
        self._verifier = verifier
        self._streams = streams
        self._tokens = tokens
        self._bus = bus
        self._clock = clock
        self._tasks = Tasks("authentication")
        self._loaded: float | None = None
        self._reloading = asyncio.Lock()
        self._api_tokens: dict[str, tuple[float, Principal | None]] = {}

    async def start(self) -> None:
        self._tasks.spawn(self._refresh(), name="refresh")
        self._tasks.spawn(self._follow(), name="follow")

    async def stop(self) -> None:
        await self._tasks.close()

    def check(self) -> None:
        """Readiness. Raises Unavailable while no keys are known, or what ended a task."""
        self._tasks.check()
        if self._loaded is None:
            raise Unavailable("the keys of access tokens are not known yet")

    def recall(self, token: str) -> Principal | None:
        """Who shows `token`, if that needs nobody else's answer. Raises Unauthenticated."""
        if not token.startswith(API_TOKEN_PREFIX):
            try:
                return self._verifier.principal(token)
            except UnknownKey:
                return None
        until, principal = self._api_tokens.get(token, (0.0, None))
        if self._clock.monotonic() >= until:
            return None
        if principal is None:
            raise Unauthenticated("the API token is not valid")
        return principal

    async def ask(self, token: str) -> Principal:
        """Who shows `token`, when `recall` did not know. Raises Unauthenticated, and Unavailable when
        lucid-auth-service does not answer."""
        if token.startswith(API_TOKEN_PREFIX):
            return await self._ask_api_token(token)
        async with self._reloading:
            if self._loaded is None or self._clock.monotonic() - self._loaded >= _RELOAD_S:
                await self._load()
        return self._verifier.principal(token)

    async def _ask_api_token(self, token: str) -> Principal:
        if len(self._api_tokens) >= _REMEMBERED:
            self._api_tokens.clear()
        until = self._clock.monotonic() + _REMEMBER_S
        try:
            principal = await self._tokens.principal(token=Secret(token))
        except Unauthenticated:
            self._api_tokens[token] = (until, None)
            raise
        self._api_tokens[token] = (until, principal)
        return principal

    async def _load(self) -> None:
        """Take the keys, and the revocations, of which the bus may have lost some."""
        jwks = await self._tokens.keys()
        revocations = await self._tokens.revocations()
        self._verifier.load(jwks)
        for revocation in revocations:
            self._revoke(revocation)
        self._loaded = self._clock.monotonic()

    async def _refresh(self) -> None:
        said = False
        while True:
            pause_s = _REFRESH_S
            try:
                async with self._reloading:
                    await self._load()
                said = False
            except LucidError as error:
                pause_s = _RETRY_S
                if not said:
                    _log.warning("keys of access tokens not read", detail=error.detail)
                said = True
            await asyncio.sleep(pause_s)

    async def _follow(self) -> None:
        """Revocations as they happen; `_refresh` catches up with what is missed here."""
        position = "0"  # a revocation does no harm twice, but one that is missed does
        while True:
            try:
                events = await self._bus.read(REVOKED, after=position, wait_s=_READ_S)
            except Unavailable:
                await asyncio.sleep(_RETRY_S)
                continue
            for event in events:
                position = event.position
                with contextlib.suppress(ValidationError):  # of a newer version, or not ours
                    self._revoke(Revocation.model_validate(event.body))
                    self._api_tokens.clear()

    def _revoke(self, revocation: Revocation) -> None:
        self._verifier.revoke(revocation)
        self._streams.end(revocation)


def bearer_token(value: bytes | None) -> str:
    """The token of an Authorization field (RFC 6750). Raises Unauthenticated when there is none."""
    scheme, _, token = (value or b"").decode("latin-1").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Unauthenticated("a valid bearer token is required")
    return token
