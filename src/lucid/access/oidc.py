"""Logging in at an identity provider: whose account it is, and which role its groups give."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lucid.access.accounts import AccountBook
from lucid.access.acts import UNKNOWN, Acts, Origin
from lucid.access.oidc_provider import OidcProvider
from lucid.access.one_time import OneTime
from lucid.access.records import AccountRecord, AccountStore
from lucid.access.sign_in import SignedIn
from lucid.base.clock import Clock
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from lucid.base.ids import NAME_PATTERN
from lucid.base.secret import Secret
from lucid.model.permission import Role
from lucid.ports.stores import Documents

OIDC_ACCOUNTS = "oidc-accounts"


@dataclass(frozen=True)
class OidcRules:
    """`name_claim` becomes the account's name at the first login, and stays it. Of `roles` (by group, as
    `groups_claim` lists them) the first that fits counts, at each login; `default_role` where none does, None: no
    login then. `create`: make accounts at the first login; `adopt`: take over accounts of that name that exist."""

    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: Mapping[str, Role] | None = None
    default_role: Role | None = None
    create: bool = False
    adopt: bool = False


@dataclass(frozen=True)
class OidcStart:
    """Where the browser is sent, and what it is to bring back in a cookie."""

    url: str
    browser: Secret


class OidcLogin:
    """Logins by the authorization code flow. The state is good once, for the browser that began. Accounts are kept
    together with the provider's subject, since names may be given to others there."""

    def __init__(
        self,
        rules: OidcRules,
        *,
        provider: OidcProvider,
        states: OneTime,
        handovers: OneTime,
        documents: Documents,
        store: AccountStore,
        book: AccountBook,
        acts: Acts,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._provider = provider
        self._states = states
        self._handovers = handovers
        self._documents = documents
        self._store = store
        self._book = book
        self._acts = acts
        self._clock = clock

    async def begin(self) -> OidcStart:
        """Raises Unavailable when the provider does not answer."""
        browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        state = await self._states.issue({"browser": _hash(browser), "nonce": nonce, "verifier": verifier})
        url = await self._provider.authorization_url(state=state, nonce=nonce, verifier=verifier)
        return OidcStart(url, Secret(browser))

    async def finish(
        self, *, state: Secret, code: str, issuer: str | None, browser: Secret, origin: Origin = UNKNOWN
    ) -> tuple[SignedIn, str]:
        """Who came back, and the time from which the login counts. Raises Unauthenticated; Forbidden for people
        without account or role here; Unavailable."""
        try:
            began = await self._states.take(state)
            if not hmac.compare_digest(began["browser"], _hash(browser.reveal())):
                raise Unauthenticated("the login was begun by another browser: begin again")
            claims = await self._provider.claims(
                code=code,
                issuer=issuer,
                nonce=began["nonce"],
                verifier=began["verifier"],
                wanted=(self._rules.name_claim, *([self._rules.groups_claim] if self._rules.roles else [])),
            )
            return await self._sign_in(claims, origin)
        except (Unauthenticated, Forbidden):
            await self._acts.denied("login.failed", origin, factor="fed")
            raise

    async def hand_over(self, who: SignedIn, began: str) -> Secret:
        """A secret that stands for the login on its way through the browser's address."""
        return await self._handovers.issue({"user": who.account.name, "began": began})

    async def take_over(self, secret: Secret) -> tuple[SignedIn, str]:
        """What `hand_over` was given, once. Raises Unauthenticated."""
        body = await self._handovers.take(secret)
        return SignedIn((await self._unlocked(body["user"])).account, ("fed",)), body["began"]

    async def _sign_in(self, claims: Mapping[str, Any], origin: Origin) -> tuple[SignedIn, str]:
        role = self._role(claims)
        name = await self._name(claims)
        record = await self._store.find(name)
        if record is None:
            await self._create(name, role, origin)
        elif self._rules.roles and role is not None and record.role != role:
            await self._book.change(name=name, role=role, origin=origin.by(name))
        began = self._clock.now()  # a new role has ended all logins that began before
        return SignedIn((await self._unlocked(name)).account, ("fed",)), began

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The role that the groups give; None: that of the account. Raises Forbidden when they give none."""
        listed = claims.get(self._rules.groups_claim)
        groups = listed if isinstance(listed, list) else [listed]
        for group, role in (self._rules.roles or {}).items():
            if group in groups:
                return role
        if self._rules.roles and self._rules.default_role is None:
            raise Forbidden("none of your groups may log in here")
        return self._rules.default_role

    async def _name(self, claims: Mapping[str, Any]) -> str:
        """The account of the provider's subject, which becomes the one that the claim names at the first login."""
        subject = _hash(f"{self._provider.issuer}\0{claims['sub']}")
        known = await self._documents.find(OIDC_ACCOUNTS, {"subject": subject}, limit=1)
        if known:
            return known[0].id
        name = claims.get(self._rules.name_claim)
        if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name.lower()):
            raise Forbidden("the identity provider gives you no name that an account can have")
        name = name.lower()
        exists = await self._store.find(name) is not None
        if exists and not self._rules.adopt:
            raise Forbidden("an account of your name exists that does not belong to the identity provider")
        if not exists and not self._rules.create:
            raise Forbidden("you have no account here")
        try:
            await self._documents.insert(OIDC_ACCOUNTS, name, {"subject": subject, "since": self._clock.now()})
        except Conflict:
            if (await self._documents.get(OIDC_ACCOUNTS, name)).body["subject"] != subject:
                raise Forbidden("the account of your name belongs to somebody else") from None
        return name

    async def _create(self, name: str, role: Role | None, origin: Origin) -> None:
        if not self._rules.create or role is None:
            raise Forbidden("you have no account here")
        try:
            # Nobody learns the password: the account has none but the provider's until an administrator resets it.
            await self._book.create(name=name, role=role, origin=origin.by(name))
        except Conflict:
            return  # made by another request, or removed: seen next
        except InvalidInput as error:
            raise Forbidden(error.detail) from None

    async def _unlocked(self, name: str) -> AccountRecord:
        try:
            record = await self._store.get(name)
        except NotFound:
            raise Forbidden("your account was removed") from None
        if record.locked:
            raise Forbidden("your account is locked")
        return record


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
