"""The steps of a login, in whatever order a person's second factors ask for."""

from dataclasses import dataclass
from typing import Any

from lucid.access.accounts import AccountBook
from lucid.access.acts import UNKNOWN, Origin
from lucid.access.factors.passkeys import Passkeys
from lucid.access.factors.second_factors import SecondFactors
from lucid.access.one_time import OneTime
from lucid.access.records import AccountRecord, AccountStore
from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret
from lucid.model.principal import Method
from lucid.ports.access import Account
from lucid.ports.stores import Json


@dataclass(frozen=True)
class SignedIn:
    """Somebody proved who they are, by `methods`."""

    account: Account
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class SignInStep:
    """After the password: either `complete`, or one of `factors` of `account` is still asked for. `pending` names the
    login then; it is good once and for some minutes."""

    account: Account
    complete: SignedIn | None = None
    pending: Secret | None = None
    factors: tuple[str, ...] = ()


class SignIn:
    """Logins up to the point where tokens can be issued. Refusals are in the audit trail when an error comes out
    (`login.failed`, `factor.failed`); what a caller makes of a SignedIn, the caller records."""

    def __init__(
        self,
        *,
        book: AccountBook,
        store: AccountStore,
        second_factors: SecondFactors,
        passkeys: Passkeys,
        pendings: OneTime,
    ) -> None:
        self._book = book
        self._store = store
        self._second_factors = second_factors
        self._passkeys = passkeys
        self._pendings = pendings

    async def begin(self, name: str, password: Secret, *, origin: Origin = UNKNOWN) -> SignInStep:
        """Check the password. Raises Unauthenticated and TooManyRequests as Accounts.authenticate does."""
        account = await self._book.authenticate(name=name, password=password, origin=origin)
        if not account.second_factors:
            return SignInStep(account, complete=SignedIn(account, ("pwd",)))
        record = await self._store.get(name)
        pending = await self._pendings.issue({"user": name, "epoch": record.epoch})
        factors = (*account.second_factors, *(("recovery",) if record.recovery else ()))
        return SignInStep(account, pending=pending, factors=factors)

    async def with_code(self, pending: Secret, code: Secret, *, origin: Origin = UNKNOWN) -> SignedIn:
        """Finish a login with a TOTP or recovery code. A wrong code leaves the login pending. Raises Unauthenticated,
        TooManyRequests."""
        record = await self._pending(await self._pendings.peek(pending))
        await self._second_factors.check(name=record.name, code=code, origin=origin.by(record.name))
        return SignedIn(await self._finish(pending), ("pwd", "otp"))

    async def passkey_options(self, pending: Secret | None) -> dict[str, Any]:
        """What `navigator.credentials.get({publicKey: ...})` is to be given, in the form that
        `PublicKeyCredential.parseRequestOptionsFromJSON` reads. Without `pending`: for a login without password, which
        demands user verification (a PIN or fingerprint). Raises Unauthenticated."""
        if pending is None:
            return await self._passkeys.login_options()
        record = await self._pending(await self._pendings.peek(pending))
        return await self._passkeys.second_factor_options(record)

    async def with_passkey(
        self, pending: Secret | None, response: dict[str, Any], *, origin: Origin = UNKNOWN
    ) -> SignedIn:
        """Finish (or, without `pending`, do the whole of) a login with what the browser made of the options, as
        `PublicKeyCredential.toJSON` gives it. Raises Unauthenticated."""
        if pending is None:
            return SignedIn((await self._passkeys.login(response, origin=origin)).account, ("hwk",))
        record = await self._pending(await self._pendings.peek(pending))
        await self._passkeys.second_factor(record.name, response, origin=origin.by(record.name))
        return SignedIn(await self._finish(pending), ("pwd", "hwk"))

    async def _pending(self, body: Json) -> AccountRecord:
        """The account that waits for its second factor. Raises Unauthenticated when the password no longer counts."""
        record = await self._store.find(body["user"])
        if record is None or record.locked or record.epoch != body["epoch"]:
            raise Unauthenticated("the account has changed: begin again")
        return record

    async def _finish(self, pending: Secret) -> Account:
        return (await self._pending(await self._pendings.take(pending))).account
