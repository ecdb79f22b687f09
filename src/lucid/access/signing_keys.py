"""The keys that access tokens are signed with, and their rotation, which breaks nobody.

A key is published as `next` for as long as verifiers may keep a JWKS before it becomes `current` and signs; `retired`
it stays published until its last token has expired. All keys stand in one document, so that a rotation happens as a
whole and once, however many replicas there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

from lucid.access.seal import AccountSeal
from lucid.access.verifying import MAX_LIFE_S
from lucid.base.clock import Clock, Time, parse_time, shift_time
from lucid.base.errors import Conflict, NotFound
from lucid.base.value import Value
from lucid.crypto import jwt
from lucid.ports.stores import Documents

SIGNING_KEYS = "signing-keys"
_DOCUMENT = "access-tokens"
_PURPOSE = "signing-key"
_SKEW_S = 60.0
"""How far the clocks of replicas may differ."""

_log = structlog.get_logger()


class KeyState(StrEnum):
    """Forward only."""

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"


class SigningKey(Value):
    """One key: `id` is its thumbprint (RFC 7638), `x` its public half as in a JWK, `since` when it got its state."""

    id: str
    x: str
    sealed: str
    state: KeyState
    since: Time


class _Keys(Value):
    keys: tuple[SigningKey, ...]

    def of(self, state: KeyState) -> SigningKey:
        """The key that is next, or current: there is one of each."""
        return next(key for key in self.keys if key.state is state)


@dataclass(frozen=True)
class RotationRules:
    """Times in seconds: how long a key signs; how long verifiers may keep a JWKS."""

    rotate_s: float = 30 * 86_400.0
    cache_s: float = 300.0


class SigningKeys:
    """Reads the document at each use: logins are rare, and replicas never disagree for longer than that."""

    def __init__(self, rules: RotationRules, *, seal: AccountSeal, documents: Documents, clock: Clock) -> None:
        self._rules = rules
        self._seal = seal
        self._documents = documents
        self._clock = clock

    async def signer(self) -> jwt.TokenKey:
        """The key that signs now. Raises Corrupted when it was sealed with another key."""
        key = (await self._read())[0].of(KeyState.CURRENT)
        return jwt.TokenKey.parse(self._seal.open(_PURPOSE, key.id, key.sealed))

    async def jwks(self) -> dict[str, Any]:
        """The JWKS (RFC 7517) of all keys that a token may be signed with now or soon."""
        keys = (await self._read())[0].keys
        return {"keys": [_jwk(key) for key in keys]}

    async def maintain(self) -> None:
        """Rotate when it is time, and drop retired keys whose tokens have all expired."""
        held, version = await self._read()
        now = self._clock.now()
        kept = self._kept(held.keys, now)
        due = _age_s(held.of(KeyState.CURRENT), now) >= self._rules.rotate_s and self._wait_s(held, now) <= 0
        keys = self._rotated(kept, now) if due else kept
        if keys != held.keys and await self._write(keys, version) and due:
            _log.info("signing key rotated", keys=len(keys))

    async def rotate(self) -> str:
        """Let the next key sign from now on, and return its id. Raises Conflict while verifiers may not have it
        yet; `retry_after_s` says how long, also when another rotation came in between."""
        held, version = await self._read()
        now = self._clock.now()
        if (wait_s := self._wait_s(held, now)) > 0:
            raise Conflict("the next key was published too recently for everybody to have it", retry_after_s=wait_s)
        keys = self._rotated(self._kept(held.keys, now), now)
        if not await self._write(keys, version):
            raise Conflict("the keys are being rotated", retry_after_s=self._rules.cache_s)
        _log.info("signing key rotated", keys=len(keys))
        return held.of(KeyState.NEXT).id

    def _wait_s(self, held: _Keys, now: str) -> float:
        return self._rules.cache_s - _age_s(held.of(KeyState.NEXT), now)

    def _kept(self, keys: Sequence[SigningKey], now: str) -> tuple[SigningKey, ...]:
        keep_s = MAX_LIFE_S + jwt.LEEWAY_S + _SKEW_S
        return tuple(key for key in keys if key.state is not KeyState.RETIRED or _age_s(key, now) < keep_s)

    def _rotated(self, keys: Sequence[SigningKey], now: str) -> tuple[SigningKey, ...]:
        after = {KeyState.NEXT: KeyState.CURRENT, KeyState.CURRENT: KeyState.RETIRED}
        moved = [
            key.model_copy(update={"state": after[key.state], "since": now}) if key.state in after else key
            for key in keys
        ]
        return (*moved, self._new(KeyState.NEXT, now))

    def _new(self, state: KeyState, since: str) -> SigningKey:
        key = jwt.TokenKey.generate()
        x = jwt.public_jwk(key.private.public_key())["x"]
        return SigningKey(
            id=key.id, x=x, sealed=self._seal.seal(_PURPOSE, key.id, key.format()), state=state, since=since
        )

    async def _read(self) -> tuple[_Keys, int]:
        while True:
            try:
                found = await self._documents.get(SIGNING_KEYS, _DOCUMENT)
                return _Keys.model_validate(found.body), found.version
            except NotFound:
                await self._create()

    async def _create(self) -> None:
        """The first two keys. Nobody has a JWKS yet, so the next may follow whenever it is wanted."""
        now = self._clock.now()
        published = shift_time(now, -self._rules.cache_s)
        keys = _Keys(keys=(self._new(KeyState.CURRENT, now), self._new(KeyState.NEXT, published)))
        try:
            await self._documents.insert(SIGNING_KEYS, _DOCUMENT, keys.model_dump(mode="json"))
        except Conflict:
            return  # another replica was first: its keys are read now

    async def _write(self, keys: Sequence[SigningKey], version: int) -> bool:
        """False when another replica has changed the keys since they were read."""
        body = _Keys(keys=tuple(keys)).model_dump(mode="json")
        try:
            await self._documents.replace(SIGNING_KEYS, _DOCUMENT, body, version=version)
        except Conflict:
            return False
        return True


def _jwk(key: SigningKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": key.x, "kid": key.id, "alg": jwt.ALGORITHM, "use": "sig"}


def _age_s(key: SigningKey, now: str) -> float:
    return (parse_time(now) - parse_time(key.since)).total_seconds()
