"""Passwords: Argon2id hashes (RFC 9106), and random ones that a person can read and type."""

import asyncio
import contextlib
import secrets
import unicodedata
from collections.abc import AsyncIterator

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret

MOST_WAITING = 100
"""Passwords that wait for their turn, some 50 ms each: behind more nobody would get an answer in time."""

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that look alike (0 and o, 1, i and l)."""

_GROUPS, _GROUP = 4, 6


def random_password() -> Secret:
    """24 random characters in four groups: 118 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return Secret("-".join(groups))


class Passwords:
    """Hashes and checks passwords in a thread, one at a time: each takes 64 MiB at the recommended cost
    (RFC 9106 section 4, second option), and a flood of logins must not exhaust the memory. All raise Unavailable when
    too many wait."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0
        self._decoy: str | None = None

    @contextlib.asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("too many logins at once", retry_after_s=2.0)
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    async def hash(self, password: Secret) -> str:
        """The encoded hash with its salt and cost."""
        async with self._in_turn():
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def matches(self, password: Secret, encoded: str | None) -> bool:
        """Whether `encoded` is the hash of `password`. None, for an account that does not exist, takes as
        long and does not match."""
        if encoded is None and self._decoy is None:
            self._decoy = await self.hash(random_password())
        async with self._in_turn():
            matched = await asyncio.to_thread(self._verify, encoded or self._decoy or "", _bytes(password))
        return matched and encoded is not None

    def _verify(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except VerifyMismatchError:
            return False

    def outdated(self, encoded: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(encoded)


def _bytes(password: Secret) -> bytes:
    """What is hashed: keyboards write the same character in different ways (NIST SP 800-63B section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password.reveal()).encode("utf-8", "surrogatepass")
