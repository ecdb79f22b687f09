"""Slowing down who guesses passwords or codes: a growing pause after repeated failures for one name."""

import hashlib
from dataclasses import dataclass

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import Conflict, NotFound, TooManyRequests
from lucid.ports.stores import Documents, Stored

ATTEMPTS = "login-attempts"
_TRIES = 5


@dataclass(frozen=True)
class Backoff:
    """After `free` failures in a row each further attempt waits `first_s`, doubled each time up to `cap_s`;
    `forget_s` without an attempt clears the count. Times in seconds."""

    free: int = 5
    first_s: float = 1.0
    cap_s: float = 300.0
    forget_s: float = 3600.0

    def pause_s(self, failures: int) -> float:
        """How long after the last of `failures` attempts the next one may come."""
        if failures < self.free:
            return 0.0
        return float(min(self.cap_s, self.first_s * 2 ** min(failures - self.free, 30)))


class Lockout:
    """Counts attempts by name in the documents, whether an account of that name exists or not, so that a
    refusal tells nothing about it. Passwords and second factors (`kind`) are counted apart: a login that stops after
    a right password must not clear the count of wrong codes."""

    def __init__(self, backoff: Backoff, *, documents: Documents, clock: Clock) -> None:
        self._backoff = backoff
        self._documents = documents
        self._clock = clock

    async def attempt(self, name: str, *, kind: str = "") -> None:
        """Count an attempt as failed before the password is checked, so that parallel guesses count too.
        Raises TooManyRequests when it comes too early."""
        for _ in range(_TRIES):
            try:
                return await self._count(_key(name, kind))
            except Conflict:
                continue  # another attempt for it was counted in between
        raise TooManyRequests("too many logins at once", retry_after_s=1.0)

    async def _count(self, key: str) -> None:
        now = self._clock.now()
        try:
            found = await self._documents.get(ATTEMPTS, key)
        except NotFound:
            await self._documents.insert(ATTEMPTS, key, {"failures": 1, "last": now})
            return
        elapsed_s = self._elapsed_s(found)
        failures = 0 if elapsed_s >= self._backoff.forget_s else int(found.body["failures"])
        pause_s = self._backoff.pause_s(failures)
        if 0 <= elapsed_s < pause_s:  # below 0 the clock was set back: nobody is locked out by that
            raise TooManyRequests("too many failed logins", retry_after_s=pause_s - elapsed_s)
        body = {"failures": failures + 1, "last": now}
        await self._documents.replace(ATTEMPTS, found.id, body, version=found.version)

    async def succeeded(self, name: str, *, kind: str = "") -> None:
        """Clear the count."""
        await self._documents.delete(ATTEMPTS, _key(name, kind))

    async def sweep(self) -> int:
        """Remove counts that no longer matter and return how many."""
        removed, after = 0, None
        while page := await self._documents.find(ATTEMPTS, after=after):
            after = page[-1].id
            for found in page:
                if self._elapsed_s(found) >= self._backoff.forget_s:
                    removed += await self._documents.delete(ATTEMPTS, found.id)
        return removed

    def _elapsed_s(self, found: Stored) -> float:
        return (parse_time(self._clock.now()) - parse_time(found.body["last"])).total_seconds()


def _key(name: str, kind: str) -> str:
    """A name that was typed is not stored: people type passwords there."""
    text = f"{kind}\0{name}" if kind else name
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
