"""Accounts, second factors, passkeys and logins put together."""

from lucid.access.accounts import AccountBook
from lucid.access.acts import Acts
from lucid.access.factors.lockout import Lockout
from lucid.access.factors.passkeys import Passkeys
from lucid.access.factors.passwords import Passwords
from lucid.access.factors.relying_party import RelyingParty
from lucid.access.factors.second_factors import SecondFactors
from lucid.access.one_time import OneTime
from lucid.access.owed import Logins, OwedActs
from lucid.access.records import AccountStore
from lucid.access.seal import AccountSeal
from lucid.access.sign_in import SignIn
from lucid.base.clock import Clock
from lucid.ports.access import Audit
from lucid.ports.stores import Documents
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings


class People:
    """What the service knows of people: `accounts`, their `second_factors` and `passkeys`, and how they `sign_in`."""

    def __init__(
        self,
        settings: LucidAuthServiceSettings,
        *,
        documents: Documents,
        clock: Clock,
        lockout: Lockout,
        passwords: Passwords,
        audit: Audit,
        logins: Logins,
    ) -> None:
        acts = Acts(audit=audit, clock=clock)
        seal = AccountSeal(settings.account_seal_key)
        store = AccountStore(documents)
        life_s = settings.sign_in_life_s
        self.store = store
        self.owed = owed = OwedActs(documents=documents, acts=acts, logins=logins)
        self.second_factors = SecondFactors(
            store=store,
            seal=seal,
            lockout=lockout,
            acts=acts,
            owed=owed,
            clock=clock,
            issuer=settings.issuer,
            offer_s=settings.totp_offer_s,
        )
        self.accounts = AccountBook(
            store=store,
            passwords=passwords,
            second_factors=self.second_factors,
            lockout=lockout,
            logins=logins,
            acts=acts,
            owed=owed,
            clock=clock,
        )
        self.passkeys = Passkeys(
            party=RelyingParty(settings.passkey_domain, settings.issuer, settings.passkey_origins, life_s),
            store=store,
            second_factors=self.second_factors,
            seal=seal,
            challenges=OneTime("challenge", life_s, documents=documents, clock=clock),
            acts=acts,
            owed=owed,
            clock=clock,
        )
        self.sign_in = SignIn(
            book=self.accounts,
            store=store,
            second_factors=self.second_factors,
            passkeys=self.passkeys,
            pendings=OneTime("login", life_s, documents=documents, clock=clock),
        )
