"""Logins and their refresh tokens, which change at each use.

A refresh token names its login and holds two secrets: one of the whole login, one of its turn. Whoever knows the first
but an old second shows a token that was used before: somebody has a copy, so the login ends. A client whose answer was
lost may show the last token again for some seconds, and gets the same successor: that is computed from the token and
the installation's key, so that it needs not be stored.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from lucid.access.acts import Acts, Origin
from lucid.access.records import AccountStore
from lucid.access.revocations import Revocations
from lucid.access.seal import AccountSeal
from lucid.access.sign_in import SignedIn
from lucid.access.tokens import AccessTokens
from lucid.base.clock import Clock, Time, parse_time, shift_time
from lucid.base.errors import Conflict, NotFound, Unauthenticated
from lucid.base.ids import Name, new_session_id
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.principal import Method
from lucid.ports.access import Account
from lucid.ports.stores import Documents, Stored

LOGINS = "logins"
PREFIX = "lucid_rt_"
MOST = 100
"""Logins of one account; a further one ends the one that was used least recently."""

_SECRET = 32
_PURPOSE = "refresh"


@dataclass(frozen=True)
class RefreshRules:
    """Times in seconds: how long a login lives unused, and in all; how long its last token may be shown again."""

    idle_s: float = 7 * 86_400.0
    life_s: float = 30 * 86_400.0
    grace_s: float = 10.0


class Login(Value):
    """A login of a person, as that person may see it."""

    id: str
    user: Name
    methods: tuple[Method, ...]
    device: str
    address: str
    created: Time
    used: Time
    expires: Time


@dataclass(frozen=True)
class IssuedTokens:
    """What a client gets for a login: times are seconds from now."""

    access: Secret
    access_life_s: int
    refresh: Secret
    refresh_life_s: int


@dataclass(frozen=True)
class _Shown:
    """The parts of a refresh token."""

    login: str
    family: bytes
    turn: bytes

    def format(self) -> Secret:
        data = uuid.UUID(self.login).bytes + self.family + self.turn
        return Secret(PREFIX + base64.urlsafe_b64encode(data).rstrip(b"=").decode())


class Logins:
    """Logins in documents; of the secrets only hashes are stored."""

    def __init__(
        self,
        rules: RefreshRules,
        *,
        documents: Documents,
        accounts: AccountStore,
        access_tokens: AccessTokens,
        revocations: Revocations,
        seal: AccountSeal,
        acts: Acts,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._documents = documents
        self._accounts = accounts
        self._access_tokens = access_tokens
        self._revocations = revocations
        self._seal = seal
        self._acts = acts
        self._clock = clock

    async def open(self, who: SignedIn, *, began: str, device: str, origin: Origin) -> IssuedTokens:
        """A login for somebody who has proved who that is; `began` is the time before that was looked at. Raises
        Unauthenticated when all the person's logins were ended since."""
        await self._make_room(who.account.name)
        now = self._clock.now()
        shown = _Shown(new_session_id(), secrets.token_bytes(_SECRET), secrets.token_bytes(_SECRET))
        login = Login(
            id=shown.login,
            user=who.account.name,
            methods=who.methods,
            device=device,
            address=origin.address,
            created=began,
            used=now,
            expires=shift_time(now, self._rules.life_s),
        )
        secret = {"family": _hash(shown.family), "turn": _hash(shown.turn), "previous": "", "number": 0}
        await self._documents.insert(LOGINS, login.id, login.model_dump(mode="json") | secret)
        # After it was stored: so either this sees that all logins were ended, or who ends them sees this one.
        if await self._revocations.covers(login.user, began):
            await self._documents.delete(LOGINS, login.id)
            raise Unauthenticated("the account has changed: begin again")
        methods = "+".join(who.methods)
        await self._acts.done("login.opened", origin.by(login.user), account=login.user, login=login.id, by=methods)
        return await self._issue(who.account, login, shown)

    async def refresh(self, token: Secret, *, origin: Origin) -> IssuedTokens:
        """The next tokens of a login. Raises Unauthenticated; one that was used before ends the login."""
        shown = _parse(token)
        while True:
            found = await self._find(shown)
            login, now = _login(found), self._clock.now()
            if self._ended(login, now):
                await self._documents.delete(LOGINS, login.id)
                raise Unauthenticated("the login has expired: log in again")
            account = await self._account(login)
            if hmac.compare_digest(found.body["turn"], _hash(shown.turn)):
                successor = self._successor(shown, found.body["number"])
                changes = {
                    "turn": _hash(successor.turn),
                    "previous": found.body["turn"],
                    "number": found.body["number"] + 1,
                    "used": now,
                    "address": origin.address or login.address,
                }
                try:
                    await self._documents.replace(LOGINS, login.id, found.body | changes, version=found.version)
                except Conflict:
                    continue  # another request was first with the same token, or the login was ended
                return await self._issue(account, login, successor)
            lost = hmac.compare_digest(found.body["previous"], _hash(shown.turn))
            # The replica that answered first may have a clock that is ahead of ours.
            if lost and abs(_seconds(login.used, now)) <= self._rules.grace_s:
                return await self._issue(account, login, self._successor(shown, found.body["number"] - 1))
            await self._end(login)
            await self._acts.denied("login.reused", origin, account=login.user, login=login.id)
            raise Unauthenticated("the refresh token was used before; the login was ended: log in again")

    async def list(self, user: str) -> list[Login]:
        """The user's logins that have not ended, the newest first."""
        now = self._clock.now()
        logins = [_login(found) for found in await self._all(user)]
        return [login for login in reversed(logins) if not self._ended(login, now)]

    async def end(self, user: str, id: str, *, origin: Origin) -> None:
        """End one login of the user: its access tokens and its refresh token. Raises NotFound."""
        found = await self._documents.get(LOGINS, id)
        if found.body["user"] != user:
            raise NotFound("no such login")
        await self._end(_login(found))
        await self._acts.done("login.ended", origin, account=user, login=id)

    async def end_all(self, user: str, *, origin: Origin) -> None:
        """End all logins of the user."""
        await self.revoke(user)
        await self._acts.done("login.all-ended", origin, account=user)

    async def revoke(self, user: str) -> None:
        """End all logins of the user that began until now, also those that are just being opened."""
        await self._revocations.add(user)
        for found in await self._all(user):
            await self._documents.delete(LOGINS, found.id)

    async def sweep(self) -> int:
        """Remove logins that have expired and return how many."""
        removed, after, now = 0, None, self._clock.now()
        while page := await self._documents.find(LOGINS, after=after):
            after = page[-1].id
            for found in page:
                if self._ended(_login(found), now):
                    removed += await self._documents.delete(LOGINS, found.id)
        return removed

    async def _issue(self, account: Account, login: Login, shown: _Shown) -> IssuedTokens:
        access = await self._access_tokens.issue(
            account, session=login.id, authenticated=login.created, methods=login.methods
        )
        left_s = min(self._rules.idle_s, _seconds(self._clock.now(), login.expires))
        return IssuedTokens(access, self._access_tokens.life_s, shown.format(), max(0, int(left_s)))

    async def _find(self, shown: _Shown) -> Stored:
        try:
            found = await self._documents.get(LOGINS, shown.login)
        except NotFound:
            raise Unauthenticated("the login was ended: log in again") from None
        # Who knows a login's id alone must not be able to end it.
        if not hmac.compare_digest(found.body["family"], _hash(shown.family)):
            raise Unauthenticated("the refresh token is wrong")
        return found

    async def _account(self, login: Login) -> Account:
        """The account as it is now. Raises Unauthenticated, and ends the login, when it may not log in any more."""
        record = await self._accounts.find(login.user)
        if record is None or record.locked:
            await self._end(login)
            raise Unauthenticated("the account is locked or was removed")
        return record.account

    async def _end(self, login: Login) -> None:
        await self._documents.delete(LOGINS, login.id)
        await self._revocations.add(login.user, login.id)

    async def _make_room(self, user: str) -> None:
        logins = sorted(await self.list(user), key=lambda login: login.used)
        for login in logins[: max(0, len(logins) - MOST + 1)]:
            await self._end(login)

    async def _all(self, user: str) -> Sequence[Stored]:
        found: Sequence[Stored] = ()
        after = None
        while page := await self._documents.find(LOGINS, {"user": user}, after=after):
            found = (*found, *page)
            after = page[-1].id
        return found

    def _ended(self, login: Login, now: str) -> bool:
        return now >= login.expires or _seconds(login.used, now) >= self._rules.idle_s

    def _successor(self, shown: _Shown, number: int) -> _Shown:
        turn = self._seal.hash(_PURPOSE, shown.login, f"{number}:{shown.turn.hex()}")
        return _Shown(shown.login, shown.family, bytes.fromhex(turn))


def _parse(token: Secret) -> _Shown:
    """Raises Unauthenticated for what is no refresh token."""
    text = token.reveal().removeprefix(PREFIX)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != 16 + 2 * _SECRET:
        raise Unauthenticated("the refresh token is malformed")
    return _Shown(str(uuid.UUID(bytes=data[:16])), data[16 : 16 + _SECRET], data[16 + _SECRET :])


def _hash(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _login(found: Stored) -> Login:
    return Login.model_validate({name: found.body[name] for name in Login.model_fields})


def _seconds(earlier: str, later: str) -> float:
    return (parse_time(later) - parse_time(earlier)).total_seconds()
