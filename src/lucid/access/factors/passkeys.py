"""Passkeys: WebAuthn credentials of accounts, as second factor and in place of the password."""

import hashlib
from typing import Any

from pydantic import ValidationError
from webauthn.helpers import bytes_to_base64url

from lucid.access.acts import Acts, Origin
from lucid.access.factors.relying_party import AuthenticationResponse, RegistrationResponse, RelyingParty, challenge_of
from lucid.access.factors.second_factors import SecondFactors
from lucid.access.one_time import OneTime
from lucid.access.owed import OwedActs
from lucid.access.records import AccountRecord, AccountStore, PasskeyRecord
from lucid.access.seal import AccountSeal
from lucid.base.clock import Clock
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.model.canonical import first_problem

MOST = 20
"""Passkeys of one account."""

_REGISTER, _LOGIN, _FACTOR = "register", "login", "factor"


class _Regressed(Unauthenticated):
    """The counter of a passkey did not rise: there may be a copy of it (WebAuthn section 6.1.1)."""


class Passkeys:
    """Passkeys in the accounts' documents. Each ceremony answers a challenge that is good once."""

    def __init__(
        self,
        *,
        party: RelyingParty,
        store: AccountStore,
        second_factors: SecondFactors,
        seal: AccountSeal,
        challenges: OneTime,
        acts: Acts,
        owed: OwedActs,
        clock: Clock,
    ) -> None:
        self._party = party
        self._store = store
        self._second_factors = second_factors
        self._seal = seal
        self._challenges = challenges
        self._acts = acts
        self._owed = owed
        self._clock = clock

    async def registration_options(self, name: str) -> dict[str, Any]:
        """What `navigator.credentials.create({publicKey: ...})` is to be given. Raises NotFound, and Conflict when the
        account has as many passkeys as one may have."""
        record = await self._store.get(name)
        _check_room(record)
        challenge = await self._challenge(_REGISTER, name)
        return self._party.creation_options(
            challenge, user=name, handle=self._handle(name), excluded=_credentials(record)
        )

    async def register(
        self, name: str, label: str, response: RegistrationResponse, *, origin: Origin
    ) -> tuple[PasskeyRecord, list[str] | None]:
        """Add the passkey that the browser made, called `label`. Returns recovery codes too if the account had none.
        Raises Forbidden for a response that is not genuine, Conflict when somebody has it already."""
        try:
            challenge = await self._answered(response.response.clientDataJSON, _REGISTER, name)
            made = self._party.check_registration(response, challenge)
        except Unauthenticated as error:
            raise Forbidden(error.detail) from None  # the login itself is still good
        passkey = PasskeyRecord(
            id=passkey_id(made.credential),
            name=label,
            credential=made.credential,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=made.transports,
            created=self._clock.now(),
        )
        act = self._acts.event("passkey.added", origin, accountable=True, account=name, passkey=passkey.id)
        await self._store.claim_passkey(passkey.id, name)

        def add(record: AccountRecord) -> tuple[AccountRecord, list[str] | None]:
            _check_room(record)
            added = record.with_(passkeys=(*record.passkeys, passkey)).owing(act)
            return self._second_factors.first_codes(added)

        codes = await self._store.update(name, add)
        await self._owed.settle(name)
        return passkey, codes

    async def remove(self, name: str, id: str, *, origin: Origin) -> None:
        """Raises NotFound."""
        act = self._acts.event("passkey.removed", origin, accountable=True, account=name, passkey=id)

        def remove(record: AccountRecord) -> AccountRecord:
            _find(record, id)
            left = tuple(passkey for passkey in record.passkeys if passkey.id != id)
            return record.with_(passkeys=left).owing(act)

        await self._store.change(name, remove)
        await self._owed.settle(name)

    async def login_options(self) -> dict[str, Any]:
        """For a login without name and password: the authenticator offers the passkeys that it has for us."""
        return self._party.request_options(await self._challenge(_LOGIN, ""), allowed=(), verified=True)

    async def login(self, response: dict[str, Any], *, origin: Origin) -> AccountRecord:
        """The account whose passkey answered `login_options`, with the person verified. Raises Unauthenticated."""
        form = _form(response)
        challenge = await self._answered(form.response.clientDataJSON, _LOGIN, "")
        try:
            name = await self._store.passkey_owner(passkey_id(form.id))
        except NotFound:
            await self._acts.denied("login.failed", origin, factor="passkey")
            raise Unauthenticated("the passkey is unknown") from None
        if form.response.userHandle != bytes_to_base64url(self._handle(name)):
            raise Unauthenticated("the passkey was refused: it names another account")
        return await self._use(name, form, challenge, verified=True, origin=origin)

    async def second_factor_options(self, record: AccountRecord) -> dict[str, Any]:
        """For a login of this account that waits for its second factor."""
        challenge = await self._challenge(_FACTOR, record.name)
        return self._party.request_options(challenge, allowed=_credentials(record), verified=False)

    async def second_factor(self, name: str, response: dict[str, Any], *, origin: Origin) -> None:
        """Check the answer to `second_factor_options`. Raises Unauthenticated."""
        form = _form(response)
        challenge = await self._answered(form.response.clientDataJSON, _FACTOR, name)
        await self._use(name, form, challenge, verified=False, origin=origin)

    async def _use(
        self, name: str, form: AuthenticationResponse, challenge: Secret, *, verified: bool, origin: Origin
    ) -> AccountRecord:
        key = passkey_id(form.id)

        def use(record: AccountRecord) -> AccountRecord:
            if record.locked:
                raise Unauthenticated("the passkey was refused: the account is locked")
            passkey = _find(record, key)
            count = self._party.check_authentication(form, challenge, public_key=passkey.public_key, verified=verified)
            # Authenticators without a counter always say 0.
            if (count or passkey.sign_count) and count <= passkey.sign_count:
                raise _Regressed("the passkey was refused: its counter did not rise")
            used = passkey.model_copy(update={"sign_count": count, "used": self._clock.now()})
            return record.with_(passkeys=tuple(used if other.id == key else other for other in record.passkeys))

        try:
            return await self._store.change(name, use)
        except _Regressed as error:
            await self._acts.denied("passkey.counter-fell", origin, account=name, passkey=key)
            raise Unauthenticated(error.detail) from None
        except (NotFound, Unauthenticated) as error:
            await self._acts.denied("factor.failed", origin, account=name, factor="passkey")
            raise Unauthenticated(error.detail) from None

    async def _challenge(self, purpose: str, user: str) -> Secret:
        return await self._challenges.issue({"for": purpose, "user": user})

    async def _answered(self, client_data: str, purpose: str, user: str) -> Secret:
        """The challenge that a response answers, which is used up whatever comes of it. Raises Unauthenticated."""
        challenge = challenge_of(client_data)
        if await self._challenges.take(challenge) != {"for": purpose, "user": user}:
            raise Unauthenticated("the passkey was refused: the challenge was for something else")
        return challenge

    def _handle(self, name: str) -> bytes:
        """What an authenticator knows the account by: it does not tell the name (WebAuthn section 14.6.1)."""
        return bytes.fromhex(self._seal.hash("passkey-user", name, ""))


def passkey_id(credential: str) -> str:
    """A short name of a credential, the same for the same one: 128 bits in hex."""
    return hashlib.sha256(credential.encode()).hexdigest()[:32]


def _form(response: dict[str, Any]) -> AuthenticationResponse:
    try:
        return AuthenticationResponse.model_validate(response)
    except ValidationError as error:
        raise InvalidInput(first_problem(error), field="response") from None


def _find(record: AccountRecord, id: str) -> PasskeyRecord:
    for passkey in record.passkeys:
        if passkey.id == id:
            return passkey
    raise NotFound("no such passkey")


def _check_room(record: AccountRecord) -> None:
    if len(record.passkeys) >= MOST:
        raise Conflict(f"an account has at most {MOST} passkeys: remove one first")


def _credentials(record: AccountRecord) -> list[tuple[str, tuple[str, ...]]]:
    return [(passkey.credential, passkey.transports) for passkey in record.passkeys]
