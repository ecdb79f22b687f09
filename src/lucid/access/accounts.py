"""Accounts and their passwords (ports Accounts and AccountKeeping)."""

from dataclasses import dataclass

import structlog

from lucid.access.acts import OPERATING, UNKNOWN, Acts, Origin
from lucid.access.factors.lockout import Lockout
from lucid.access.factors.password_rule import check_password
from lucid.access.factors.passwords import Passwords, random_password
from lucid.access.factors.second_factors import SecondFactors
from lucid.access.owed import Logins, OwedActs
from lucid.access.records import AccountRecord, AccountStore
from lucid.base.clock import Clock
from lucid.base.errors import Conflict, Forbidden, InvalidInput, TooManyRequests, Unauthenticated
from lucid.base.secret import Secret
from lucid.model.permission import Role
from lucid.ports.access import Account, AuditEvent

ADMINISTRATOR = "admin"
ROLE_ADMIN: Role = "admin"

RESERVED = frozenset({OPERATING.actor, UNKNOWN.actor})
"""Names that mean something else in the audit trail."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Proof:
    """What somebody shows to confirm something: the password, or a code."""

    password: Secret | None = None
    code: Secret | None = None


class AccountBook:
    """Accounts in documents; of a password only its Argon2id hash is stored. Some account is always an unlocked
    administrator's, once there was one."""

    def __init__(
        self,
        *,
        store: AccountStore,
        passwords: Passwords,
        second_factors: SecondFactors,
        lockout: Lockout,
        logins: Logins,
        acts: Acts,
        owed: OwedActs,
        clock: Clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._second_factors = second_factors
        self._lockout = lockout
        self._logins = logins
        self._acts = acts
        self._owed = owed
        self._clock = clock

    async def authenticate(self, *, name: str, password: Secret, origin: Origin = UNKNOWN) -> Account:
        """As the port says, and TooManyRequests after repeated failures, whether the account exists or not."""
        record = await self._verified(name, password, origin)
        await self._renew_hash(record, password)
        _log.info("login", account=name)
        return record.account

    async def confirm(self, *, name: str, proof: Proof, origin: Origin) -> None:
        """Let a person who is logged in prove again who that is, before something sensitive. Raises Forbidden (the
        login itself is still good), TooManyRequests."""
        try:
            if proof.password is not None:
                await self._verified(name, proof.password, origin)
            elif proof.code is not None:
                await self.check_second_factor(name=name, code=proof.code, origin=origin)
            else:
                raise InvalidInput("confirm with the current password or a code", field="password")
        except Unauthenticated:
            raise Forbidden("the password or code is wrong") from None

    async def create_administrator(self, password: Secret | None = None) -> Secret | None:
        """As the port says; `password`, if given, is used in place of a random one. Raises InvalidInput for a weak
        one."""
        if await self._store.find(ADMINISTRATOR):
            return None
        try:
            return await self.create(name=ADMINISTRATOR, role=ROLE_ADMIN, password=password)
        except Conflict:
            return None  # created by another call in the meantime, or removed since

    async def create(
        self, *, name: str, role: Role, password: Secret | None = None, origin: Origin = OPERATING
    ) -> Secret:
        if name in RESERVED:
            raise InvalidInput(f"the name {name} is reserved", field="name")
        if password is not None:
            check_password(password, name)
        password = password or random_password()
        hashed = await self._passwords.hash(password)
        act = self._acts.event("account.created", origin, accountable=True, account=name, role=role)
        record = AccountRecord(name=name, role=role, created=self._clock.now(), password_hash=hashed)
        await self._store.insert(record.owing(act))
        await self._owed.settle(name)
        return password

    async def change(
        self, *, name: str, role: Role | None = None, locked: bool | None = None, origin: Origin = OPERATING
    ) -> Account:
        before = await self._store.get(name)
        changes: dict[str, object] = {}
        if role is not None:
            changes["role"] = role
        if locked is not None:
            changes["locked"] = locked
        acts = []
        if role is not None and role != before.role:
            acts.append(self._acts.event("account.role-changed", origin, accountable=True, account=name, role=role))
        if locked is not None and locked != before.locked:
            act = "account.locked" if locked else "account.unlocked"
            acts.append(self._acts.event(act, origin, accountable=True, account=name))
        after = await self._replace_guarded(before, changes, acts)
        if changes:
            await self._logins.revoke(name)  # also when nothing changed: a first attempt may have failed here
        await self._owed.settle(name)
        return after.account

    async def remove(self, *, name: str, origin: Origin = OPERATING) -> None:
        """As the port says. The name stays taken: recordings belong to it, and must not become somebody else's."""
        before = await self._store.get(name)
        await self._replace_guarded(before, {"locked": True}, [])
        await self._logins.revoke(name)
        act = self._acts.event("account.removed", origin, accountable=True, account=name)
        gone = AccountRecord(
            name=name,
            role=before.role,
            created=before.created,
            locked=True,
            removed=self._clock.now(),
            password_hash=None,
        )
        await self._store.change(name, lambda record: gone.owing(*record.owed, act))
        await self._owed.settle(name)

    async def set_password(self, *, name: str, current: Secret, new: Secret, origin: Origin) -> None:
        """Change one's own password, which ends all logins. Raises Forbidden when `current` is wrong, TooManyRequests,
        and InvalidInput for a weak one."""
        await self.confirm(name=name, proof=Proof(password=current), origin=origin)
        check_password(new, name)
        hashed = await self._passwords.hash(new)
        act = self._acts.event("password.changed", origin, accountable=True, account=name)
        await self._store.change(
            name, lambda record: record.with_(password_hash=hashed, epoch=record.epoch + 1).owing(act)
        )
        await self._logins.revoke(name)
        await self._owed.settle(name)

    async def reset_password(self, *, name: str, origin: Origin = OPERATING) -> Secret:
        password = random_password()
        hashed = await self._passwords.hash(password)
        act = self._acts.event("password.reset", origin, accountable=True, account=name)

        def reset(record: AccountRecord) -> AccountRecord:
            return record.without_factors().with_(password_hash=hashed, epoch=record.epoch + 1).owing(act)

        await self._store.change(name, reset)
        await self._logins.revoke(name)
        await self._owed.settle(name)
        return password

    async def get(self, *, name: str) -> Account:
        return (await self._store.get(name)).account

    async def check_second_factor(self, *, name: str, code: Secret, origin: Origin = UNKNOWN) -> None:
        await self._second_factors.check(name=name, code=code, origin=origin)

    async def _verified(self, name: str, password: Secret, origin: Origin) -> AccountRecord:
        """The account whose password this is, if it may log in. All refusals look the same and take as long."""
        try:
            await self._lockout.attempt(name)
        except TooManyRequests as refusal:
            _log.warning("login refused", reason="too many attempts", retry_after_s=refusal.retry_after_s)
            raise
        record = await self._store.find(name)
        matches = await self._passwords.matches(password, record.password_hash if record else None)
        if not matches or record is None or record.locked:
            _log.warning("login failed", account=name if record else None)
            await self._acts.denied("login.failed", origin, **({"account": name} if record else {}))
            raise Unauthenticated("name or password is wrong")
        await self._lockout.succeeded(name)
        return record

    async def _replace_guarded(
        self, before: AccountRecord, changes: dict[str, object], acts: list[AuditEvent]
    ) -> AccountRecord:
        """Change the account, which owes `acts` then, unless that takes the last administrator away. Raises Conflict
        then.

        Two administrators may lock each other at the same time, in different processes: so it is looked at after the
        change as well, and the change taken back."""
        weakens = before.administers and not before.with_(**changes).administers
        if weakens and not await self._store.has_administrator(besides=before.name):
            raise _last_administrator(before.name)
        after = await self._store.change(before.name, lambda record: record.with_(**changes).owing(*acts))
        if weakens and not await self._store.has_administrator():
            undo = {name: getattr(before, name) for name in changes}

            def take_back(record: AccountRecord) -> AccountRecord:
                return record.with_(**undo, owed=tuple(act for act in record.owed if act not in acts))

            await self._store.change(before.name, take_back)
            raise _last_administrator(before.name)
        return after

    async def _renew_hash(self, record: AccountRecord, password: Secret) -> None:
        """Hash again when the recommended cost has risen since."""
        old = record.password_hash
        if old is None or not self._passwords.outdated(old):
            return
        hashed = await self._passwords.hash(password)
        await self._store.change(
            record.name, lambda now: now.with_(password_hash=hashed) if now.password_hash == old else now
        )

    async def list(self, *, after: str | None = None, limit: int = 100) -> list[Account]:  # last: it hides the type
        return [record.account for record in await self._store.page(after=after, limit=limit)]


def _last_administrator(name: str) -> Conflict:
    return Conflict(f"{name} is the last administrator who can log in: appoint another one first")
