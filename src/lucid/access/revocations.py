"""Access tokens that end before their time, remembered until they would have ended anyway."""

from lucid.access.announcing import Announcer
from lucid.access.verifying import MAX_LIFE_S
from lucid.base.clock import Clock, shift_time
from lucid.base.errors import Conflict, NotFound
from lucid.crypto.jwt import LEEWAY_S
from lucid.ports.access import REVOKED, Revocation
from lucid.ports.stores import Documents

REVOCATIONS = "revocations"
_SKEW_S = 60.0


class Revocations:
    """Documents, one for a login or a user."""

    def __init__(self, *, documents: Documents, announcer: Announcer, clock: Clock) -> None:
        self._documents = documents
        self._announcer = announcer
        self._clock = clock

    async def add(self, user: str, session: str = "") -> Revocation:
        """End the access tokens of a login (or of an API token, by its id), or of all logins of the user until now.
        Durable when it returns; verifiers learn of it by the bus soon, or when they ask next."""
        revocation = Revocation(user=user, session=session, time=self._clock.now())
        await self._put(f"session:{session}" if session else f"user:{user}", revocation)
        self._announcer.announce(REVOKED, revocation.model_dump(mode="json"))
        return revocation

    async def _put(self, id: str, revocation: Revocation) -> None:
        body = revocation.model_dump(mode="json")
        while True:
            try:
                found = await self._documents.get(REVOCATIONS, id)
                # The clock may have been set back: what was revoked stays so.
                body["time"] = max(body["time"], found.body["time"])
                await self._documents.replace(REVOCATIONS, id, body, version=found.version)
            except NotFound:
                try:
                    await self._documents.insert(REVOCATIONS, id, body)
                except Conflict:
                    continue
            except Conflict:
                continue
            return

    async def covers(self, user: str, authenticated: str) -> bool:
        """Whether a login of the user that began then has been ended with all others."""
        try:
            found = await self._documents.get(REVOCATIONS, f"user:{user}")
        except NotFound:
            return False
        return bool(authenticated <= found.body["time"])

    async def all(self) -> list[Revocation]:
        """Those that still matter."""
        found: list[Revocation] = []
        after = None
        while page := await self._documents.find(REVOCATIONS, after=after):
            found += [Revocation.model_validate(one.body) for one in page if one.body["time"] > self._limit()]
            after = page[-1].id
        return found

    async def sweep(self) -> int:
        """Remove those that no longer matter and return how many."""
        removed, after, limit = 0, None, self._limit()
        while page := await self._documents.find(REVOCATIONS, after=after):
            after = page[-1].id
            for found in page:
                if found.body["time"] <= limit:
                    removed += await self._documents.delete(REVOCATIONS, found.id)
        return removed

    def _limit(self) -> str:
        return shift_time(self._clock.now(), -(MAX_LIFE_S + LEEWAY_S + _SKEW_S))
