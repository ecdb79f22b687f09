"""Second factors that are typed: enrolment of an authenticator app, its codes, and recovery codes."""

from dataclasses import dataclass, field

from lucid.access.acts import OPERATING, UNKNOWN, Acts, Origin
from lucid.access.factors import recovery
from lucid.access.factors.lockout import Lockout
from lucid.access.factors.totp import Codes, new_secret, provisioning_uri
from lucid.access.owed import OwedActs
from lucid.access.records import AccountRecord, AccountStore, TotpOffer, TotpRecord
from lucid.access.seal import AccountSeal
from lucid.base.clock import Clock, shift_time
from lucid.base.errors import Conflict, Forbidden, NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.ports.access import AuditEvent

_KIND = "second-factor"


@dataclass(frozen=True)
class TotpEnrolment:
    """A new secret, for an app: as text, and in a URI. It counts once a code of it was confirmed."""

    secret: Secret
    uri: str = field(repr=False)
    expires: str


class SecondFactors:
    """TOTP secrets and recovery codes in the accounts' documents. `offer_s`: how long an enrolment waits for its
    first code, in seconds."""

    def __init__(
        self,
        *,
        store: AccountStore,
        seal: AccountSeal,
        lockout: Lockout,
        acts: Acts,
        owed: OwedActs,
        clock: Clock,
        issuer: str,
        offer_s: float = 600.0,
    ) -> None:
        self._store = store
        self._seal = seal
        self._codes = Codes(seal, clock)
        self._lockout = lockout
        self._acts = acts
        self._owed = owed
        self._clock = clock
        self._issuer = issuer
        self._offer_s = offer_s

    async def check(self, *, name: str, code: Secret, origin: Origin = UNKNOWN) -> None:
        """Take a TOTP or recovery code, once. Raises Unauthenticated, and TooManyRequests after repeated failures."""
        await self._lockout.attempt(name, kind=_KIND)
        act = self._acts.event("recovery.used", origin.by(name), account=name)
        try:
            await self._store.change(name, lambda record: self._use(record, code, act))
        except (NotFound, Unauthenticated):
            await self._acts.denied("factor.failed", origin, account=name, factor="code")
            raise Unauthenticated("the code is wrong or was used") from None
        await self._lockout.succeeded(name, kind=_KIND)
        await self._owed.settle(name)

    def _use(self, record: AccountRecord, code: Secret, recovered: AuditEvent) -> AccountRecord:
        if record.locked:
            raise Unauthenticated("the account is locked")
        if recovery.looks_like_a_code(code.reveal()):
            hashed = recovery.hash_code(self._seal, record.name, code.reveal())
            if hashed in record.recovery:
                left = tuple(other for other in record.recovery if other != hashed)
                return record.with_(recovery=left).owing(recovered)
        elif record.totp:
            step = self._codes.step(record.name, record.totp.sealed, code, after=record.totp.last_step)
            if step is not None:
                return record.with_(totp=TotpRecord(sealed=record.totp.sealed, last_step=step))
        raise Unauthenticated("the code is wrong")

    async def offer_totp(self, name: str) -> TotpEnrolment:
        """Begin to enrol an app, in place of the present one if there is one. Raises NotFound."""
        secret = new_secret()
        expires = shift_time(self._clock.now(), self._offer_s)
        offer = TotpOffer(sealed=self._codes.seal(name, secret), expires=expires)
        await self._store.change(name, lambda record: record.with_(totp_offer=offer))
        return TotpEnrolment(secret, provisioning_uri(secret, name, self._issuer), expires)

    async def confirm_totp(self, name: str, code: Secret, *, origin: Origin) -> list[str] | None:
        """Finish the enrolment with the app's code, which is used up by that. Returns recovery codes if the account
        had none. Raises Conflict when nothing is being enrolled, Forbidden for a wrong code, TooManyRequests."""
        await self._lockout.attempt(name, kind=_KIND)
        act = self._acts.event("totp.enrolled", origin, accountable=True, account=name)

        def confirm(record: AccountRecord) -> tuple[AccountRecord, list[str] | None]:
            offer = record.totp_offer
            if offer is None or self._clock.now() >= offer.expires:
                raise Conflict("no app is being enrolled: begin again")
            step = self._codes.step(name, offer.sealed, code, after=0)
            if step is None:
                raise Forbidden("the code is wrong: check the clock of the device")
            enrolled = record.with_(totp=TotpRecord(sealed=offer.sealed, last_step=step), totp_offer=None)
            return self.first_codes(enrolled.owing(act))

        codes = await self._store.update(name, confirm)
        await self._lockout.succeeded(name, kind=_KIND)
        await self._owed.settle(name)
        return codes

    async def remove_totp(self, name: str, *, origin: Origin) -> None:
        """Raises NotFound when no app is enrolled."""
        act = self._acts.event("totp.removed", origin, accountable=True, account=name)

        def remove(record: AccountRecord) -> AccountRecord:
            if record.totp is None:
                raise NotFound("no app is enrolled")
            return record.with_(totp=None, totp_offer=None).owing(act)

        await self._store.change(name, remove)
        await self._owed.settle(name)

    async def renew_recovery(self, name: str, *, origin: Origin) -> list[str]:
        """Ten new recovery codes; the old ones end. Raises Conflict without a second factor to recover from."""
        codes = recovery.new_codes()
        act = self._acts.event("recovery.renewed", origin, accountable=True, account=name)

        def renew(record: AccountRecord) -> AccountRecord:
            if not (record.totp or record.passkeys):
                raise Conflict("there is no second factor yet: enrol an app or a passkey first")
            return record.with_(recovery=self._hashed(name, codes)).owing(act)

        await self._store.change(name, renew)
        await self._owed.settle(name)
        return codes

    def first_codes(self, record: AccountRecord) -> tuple[AccountRecord, list[str] | None]:
        """The account with recovery codes, and those codes if it had none."""
        if record.recovery:
            return record, None
        codes = recovery.new_codes()
        return record.with_(recovery=self._hashed(record.name, codes)), codes

    async def remove_all(self, name: str, *, origin: Origin = OPERATING) -> None:
        """Take away all second factors, passkeys among them. Raises NotFound."""
        act = self._acts.event("account.factors-removed", origin, accountable=True, account=name)
        await self._store.change(name, lambda record: record.without_factors().owing(act))
        await self._owed.settle(name)

    def _hashed(self, name: str, codes: list[str]) -> tuple[str, ...]:
        return tuple(recovery.hash_code(self._seal, name, code) for code in codes)
