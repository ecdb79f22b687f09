"""Secrets that are good once and for a short time: steps of a login, challenges of passkeys."""

import base64
import hashlib
import secrets

from lucid.base.clock import Clock, shift_time
from lucid.base.errors import NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.ports.stores import Documents, Json

ONE_TIME = "one-time"
_BYTES = 32


class OneTime:
    """Bodies in documents, found by the SHA-256 of a random secret, which itself is not stored. `purpose` keeps a
    secret from being used for something else; `life_s` is how long it is good, in seconds."""

    def __init__(self, purpose: str, life_s: float, *, documents: Documents, clock: Clock) -> None:
        self._purpose = purpose
        self._life_s = life_s
        self._documents = documents
        self._clock = clock

    async def issue(self, body: Json) -> Secret:
        """A fresh secret for `body`: 256 bits as 43 characters of base64url."""
        secret = Secret(base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).rstrip(b"=").decode())
        expires = shift_time(self._clock.now(), self._life_s)
        stored = {"purpose": self._purpose, "expires": expires, "body": body}
        await self._documents.insert(ONE_TIME, _key(secret), stored)
        return secret

    async def peek(self, secret: Secret) -> Json:
        """The body, which stays. Raises Unauthenticated when the secret is unknown, used, expired, or of another
        purpose."""
        try:
            found = await self._documents.get(ONE_TIME, _key(secret))
        except NotFound:
            raise self._refusal() from None
        if found.body["purpose"] != self._purpose or self._clock.now() >= found.body["expires"]:
            raise self._refusal()
        body: Json = found.body["body"]
        return body

    async def take(self, secret: Secret) -> Json:
        """The body, and the secret is used up: of two attempts at once one gets it. Raises Unauthenticated as `peek`
        does."""
        body = await self.peek(secret)
        if not await self._documents.delete(ONE_TIME, _key(secret)):
            raise self._refusal()
        return body

    def _refusal(self) -> Unauthenticated:
        return Unauthenticated(f"the {self._purpose} is unknown, used or expired: begin again")


async def sweep_one_time(documents: Documents, clock: Clock) -> int:
    """Remove what has expired, of all purposes, and return how many."""
    now, removed, after = clock.now(), 0, None
    while page := await documents.find(ONE_TIME, after=after):
        after = page[-1].id
        for found in page:
            if found.body["expires"] <= now:
                removed += await documents.delete(ONE_TIME, found.id)
    return removed


def _key(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode("utf-8", "surrogatepass")).hexdigest()
