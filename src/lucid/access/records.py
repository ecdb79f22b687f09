"""Accounts as they are stored: one document each, so that every change of an account is atomic."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ConfigDict

from lucid.base.clock import Time
from lucid.base.errors import Conflict, NotFound
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Role
from lucid.ports.access import Account, AuditEvent
from lucid.ports.stores import Documents, Json

ACCOUNTS = "accounts"
PASSKEY_OWNERS = "passkey-owners"

T = TypeVar("T")


class TotpRecord(Value):
    """A shared secret, sealed (lucid.access.seal), and the last time step whose code was used."""

    sealed: str
    last_step: int = 0


class TotpOffer(Value):
    """A secret that was shown and whose first code is waited for until `expires`."""

    sealed: str
    expires: Time


class PasskeyRecord(Value):
    """A WebAuthn credential; `id` is its short name here. `credential` and `public_key` (COSE) are base64url; `used`
    is the time of the last use."""

    id: str
    name: str
    credential: str
    public_key: str
    sign_count: int
    transports: tuple[str, ...] = ()
    created: Time
    used: Time | None = None


class AccountRecord(Value):
    """All that is kept of an account. `epoch` rises whenever what was proved before no longer counts: at a new
    password. An account with `removed` only keeps its name from being given to somebody else. `owed` are acts that the
    audit trail may not have yet (lucid.access.owed)."""

    model_config = ConfigDict(extra="ignore")  # fields of former versions

    name: Name
    role: Role
    created: Time
    locked: bool = False
    removed: Time | None = None
    password_hash: str | None
    epoch: int = 0
    totp: TotpRecord | None = None
    totp_offer: TotpOffer | None = None
    recovery: tuple[str, ...] = ()
    passkeys: tuple[PasskeyRecord, ...] = ()
    owed: tuple[AuditEvent, ...] = ()

    @property
    def account(self) -> Account:
        """What others may know of it."""
        factors = (("totp",) if self.totp else ()) + (("passkey",) if self.passkeys else ())
        return Account.model_validate(
            {
                "name": self.name,
                "role": self.role,
                "created": self.created,
                "locked": self.locked,
                "second_factors": factors,
            }
        )

    def owing(self, *acts: AuditEvent) -> "AccountRecord":
        """A copy that also owes these acts to the audit trail: they are written with the change itself."""
        return self.with_(owed=(*self.owed, *acts))

    @property
    def body(self) -> Json:
        """The document; `owing` is to find it by."""
        return {**self.model_dump(mode="json"), "owing": bool(self.owed)}

    @property
    def administers(self) -> bool:
        """Whether an administrator can log in with it."""
        return self.role == "admin" and not self.locked

    def without_factors(self) -> "AccountRecord":
        """A copy that only has its password."""
        return self.with_(totp=None, totp_offer=None, recovery=(), passkeys=())

    def with_(self, **changes: object) -> "AccountRecord":
        """A copy with other values, checked. Recovery codes go with the last second factor."""
        changed = AccountRecord.model_validate(self.model_dump() | changes)
        if changed.recovery and not (changed.totp or changed.passkeys):
            return changed.model_copy(update={"recovery": ()})
        return changed


class AccountStore:
    """The documents of accounts."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def insert(self, record: AccountRecord) -> None:
        """Raises Conflict when the name is taken, or belonged to an account that was removed."""
        await self._documents.insert(ACCOUNTS, record.name, record.body)

    async def get(self, name: str) -> AccountRecord:
        """Raises NotFound."""
        return (await self._get(name))[0]

    async def find(self, name: str) -> AccountRecord | None:
        """The account, if there is one."""
        try:
            return await self.get(name)
        except NotFound:
            return None

    async def is_barred(self, name: str) -> bool:
        """Whether the account is locked or was removed. A name without an account is not."""
        try:
            found = await self._documents.get(ACCOUNTS, name)
        except NotFound:
            return False
        return AccountRecord.model_validate(found.body).locked

    async def change(self, name: str, change: Callable[[AccountRecord], AccountRecord]) -> AccountRecord:
        """Replace the account by what `change` makes of it, and return that. `change` is asked again when another
        change came in between; what it raises is raised. Raises NotFound."""

        def keep(record: AccountRecord) -> tuple[AccountRecord, AccountRecord]:
            changed = change(record)
            return changed, changed

        return await self.update(name, keep)

    async def update(self, name: str, change: Callable[[AccountRecord], tuple[AccountRecord, T]]) -> T:
        """As `change`, and returns the second of what `change` makes."""
        while True:
            before, version = await self._get(name)
            after, result = change(before)
            try:
                await self._documents.replace(ACCOUNTS, name, after.body, version=version)
            except Conflict:
                continue
            for gone in {passkey.id for passkey in before.passkeys} - {passkey.id for passkey in after.passkeys}:
                await self._documents.delete(PASSKEY_OWNERS, gone)
            return result

    async def claim_passkey(self, id: str, name: str) -> None:
        """Note that a passkey is about to become the account's. Raises Conflict when an account has it. A note that a
        crash left without its passkey says nothing: whoever looks an owner up looks into the account as well."""
        try:
            await self._documents.insert(PASSKEY_OWNERS, id, {"user": name})
            return
        except Conflict:
            noted = await self._documents.get(PASSKEY_OWNERS, id)
        owner = await self.find(noted.body["user"])
        if owner and any(passkey.id == id for passkey in owner.passkeys):
            raise Conflict("this passkey is registered already")
        await self._documents.replace(PASSKEY_OWNERS, id, {"user": name}, version=noted.version)

    async def passkey_owner(self, id: str) -> str:
        """The account that may have the passkey. Raises NotFound."""
        owner: str = (await self._documents.get(PASSKEY_OWNERS, id)).body["user"]
        return owner

    async def page(self, *, after: str | None, limit: int) -> list[AccountRecord]:
        """Up to `limit` accounts by name, behind the name `after`; those that were removed are left out."""
        found: list[AccountRecord] = []
        while len(found) < limit and (documents := await self._documents.find(ACCOUNTS, after=after, limit=limit)):
            after = documents[-1].id
            records = (AccountRecord.model_validate(document.body) for document in documents)
            found += [record for record in records if not record.removed]
        return found[:limit]

    async def has_administrator(self, *, besides: str = "") -> bool:
        """Whether some account, other than `besides`, is an administrator's and not locked."""
        found = await self._documents.find(ACCOUNTS, {"role": "admin", "locked": False}, limit=2)
        return any(document.id != besides for document in found)

    async def _get(self, name: str) -> tuple[AccountRecord, int]:
        found = await self._documents.get(ACCOUNTS, name)
        record = AccountRecord.model_validate(found.body)
        if record.removed:
            raise NotFound(f"no account {name}")
        return record, found.version
