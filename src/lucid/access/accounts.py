"""Accounts and their passwords (port Accounts)."""

import structlog

from lucid.access.lockout import Lockout
from lucid.access.passwords import Passwords, random_password
from lucid.base.clock import Clock
from lucid.base.errors import Conflict, NotFound, TooManyRequests, Unauthenticated
from lucid.base.secret import Secret
from lucid.model.permission import Role
from lucid.ports.access import Account
from lucid.ports.stores import Documents, Stored

ACCOUNTS = "accounts"
ADMINISTRATOR = "admin"
ROLE_ADMIN: Role = "admin"

_log = structlog.get_logger()


class AccountBook:
    """Accounts in documents; of a password only its Argon2id hash is stored."""

    def __init__(self, *, documents: Documents, passwords: Passwords, lockout: Lockout, clock: Clock) -> None:
        self._documents = documents
        self._passwords = passwords
        self._lockout = lockout
        self._clock = clock

    async def authenticate(self, *, name: str, password: Secret) -> Account:
        """As the port says, and TooManyRequests after repeated failures, whether the account exists or not."""
        try:
            await self._lockout.attempt(name)
        except TooManyRequests as refusal:
            _log.warning("login refused", reason="too many attempts", retry_after_s=refusal.retry_after_s)
            raise
        found = await self._find(name)
        if not await self._passwords.matches(password, found.body["password_hash"] if found else None) or not found:
            _log.warning("login failed", account=name if found else None)
            raise Unauthenticated("name or password is wrong")
        await self._lockout.succeeded(name)
        await self._renew_hash(found, password)
        _log.info("login", account=name)
        return _account(found)

    async def create_administrator(self) -> Secret | None:
        if await self._find(ADMINISTRATOR):
            return None
        password = random_password()
        account = Account(name=ADMINISTRATOR, role=ROLE_ADMIN, created=self._clock.now())
        body = account.model_dump(mode="json") | {"password_hash": await self._passwords.hash(password)}
        try:
            await self._documents.insert(ACCOUNTS, account.name, body)
        except Conflict:
            return None  # created by another call in the meantime
        _log.info("administrator created", account=account.name)
        return password

    async def reset_password(self, *, name: str) -> Secret:
        password = random_password()
        body = {"password_hash": await self._passwords.hash(password)}
        found = await self._documents.get(ACCOUNTS, name)
        await self._documents.replace(ACCOUNTS, name, found.body | body, version=found.version)
        _log.info("password reset", account=name)
        return password

    async def get(self, *, name: str) -> Account:
        return _account(await self._documents.get(ACCOUNTS, name))

    async def check_second_factor(self, *, name: str, code: Secret) -> None:
        raise Unauthenticated("no second factor is set up")

    async def _find(self, name: str) -> Stored | None:
        try:
            return await self._documents.get(ACCOUNTS, name)
        except NotFound:
            return None

    async def list(self, *, after: str | None = None, limit: int = 100) -> list[Account]:
        return [_account(found) for found in await self._documents.find(ACCOUNTS, after=after, limit=limit)]

    async def _renew_hash(self, found: Stored, password: Secret) -> None:
        """Hash again when the recommended cost has risen since."""
        if not self._passwords.outdated(found.body["password_hash"]):
            return
        body = found.body | {"password_hash": await self._passwords.hash(password)}
        try:
            await self._documents.replace(ACCOUNTS, found.id, body, version=found.version)
        except Conflict:
            _log.info("hash not renewed", account=found.id, reason="the account changed meanwhile")


def _account(found: Stored) -> Account:
    return Account.model_validate({key: value for key, value in found.body.items() if key != "password_hash"})
