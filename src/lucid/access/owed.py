"""Acts on accounts reach the audit trail whatever fails in between: an outbox in the accounts' own documents."""

from typing import Protocol

from lucid.access.acts import Acts
from lucid.access.records import ACCOUNTS, AccountRecord
from lucid.base.errors import Conflict
from lucid.ports.stores import Documents, Stored

ENDS_LOGINS = frozenset(
    {
        "account.locked",
        "account.removed",
        "account.role-changed",
        "account.unlocked",
        "password.changed",
        "password.reset",
    }
)


class Logins(Protocol):
    """What has been made out of logins: refresh tokens, access tokens."""

    async def revoke(self, user: str) -> None:
        """End all of them: the password, the role or the right to log in has changed."""
        ...


class OwedActs:
    """Records what accounts owe. An act is written with the change that it is about, in one document, then recorded,
    then struck out; a crash between the last two records it again under the same id, which is no error."""

    def __init__(self, *, documents: Documents, acts: Acts, logins: Logins) -> None:
        self._documents = documents
        self._acts = acts
        self._logins = logins

    async def settle(self, name: str) -> None:
        """Record what the account owes. Raises NotFound."""
        await self._settle(await self._documents.get(ACCOUNTS, name))

    async def settle_all(self) -> None:
        """Record what any account owes, which a crash or a store that was away has left; it may also have kept the
        logins from being ended that an act ends."""
        while page := await self._documents.find(ACCOUNTS, {"owing": True}):
            for found in page:
                if any(event.act in ENDS_LOGINS for event in AccountRecord.model_validate(found.body).owed):
                    await self._logins.revoke(found.id)
                await self._settle(found)

    async def _settle(self, found: Stored) -> None:
        while (record := AccountRecord.model_validate(found.body)).owed:
            for event in record.owed:
                await self._acts.record(event)
            try:
                await self._documents.replace(ACCOUNTS, found.id, record.with_(owed=()).body, version=found.version)
            except Conflict:
                found = await self._documents.get(ACCOUNTS, found.id)
                continue
            return
