"""Personal API tokens: for programs that act for a person, with fewer rights and an end."""

import hashlib
import hmac
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from lucid.access.acts import Acts, Origin
from lucid.access.records import AccountStore
from lucid.access.revocations import Revocations
from lucid.base.clock import Clock, Time, parse_time, shift_time
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.model.permission import ROLES, Permission
from lucid.model.principal import Principal
from lucid.ports.stores import Documents, Stored

API_TOKENS = "api-tokens"
PREFIX = "lucid_pat_"
MOST = 50
"""Tokens of one account."""

DAY_S = 86_400
MAX_DAYS = 366

_DIGITS = string.digits + string.ascii_letters
_RANDOM, _CHECK = 43, 6
_LENGTH = len(PREFIX) + _RANDOM + _CHECK

_log = structlog.get_logger()


class ApiToken(Value):
    """What is kept of a token; `scopes` are the most that it may do. `used` is the time of the last use, to the
    minute or so."""

    id: str
    user: Name
    label: str
    scopes: tuple[str, ...]
    created: Time
    expires: Time
    used: Time | None = None


@dataclass(frozen=True)
class NewApiToken:
    """A token with its secret, which is shown this once."""

    token: ApiToken
    secret: Secret


class ApiTokens:
    """Tokens in documents under a part of their SHA-256; the secret itself is not stored."""

    def __init__(
        self,
        *,
        documents: Documents,
        accounts: AccountStore,
        revocations: Revocations,
        acts: Acts,
        clock: Clock,
        note_use_s: float = 60.0,
    ) -> None:
        self._documents = documents
        self._accounts = accounts
        self._revocations = revocations
        self._acts = acts
        self._clock = clock
        self._note_use_s = note_use_s

    async def create(
        self, who: Principal, *, label: str, scopes: Iterable[Permission], days: int, origin: Origin
    ) -> NewApiToken:
        """A token that may do at most `scopes`, for `days` days. Raises Forbidden for what the person may not do, and
        to a program that shows an API token itself: it could outlive its end that way. Conflict when there are too
        many."""
        if not who.session:
            raise Forbidden("an API token cannot make another one: log in")
        wanted = frozenset(scopes)
        if not 1 <= days <= MAX_DAYS:
            raise InvalidInput(f"days: expected 1 to {MAX_DAYS}", field="days")
        if beyond := sorted(wanted - who.permissions):
            raise Forbidden(f"you do not have the permission {beyond[0]} yourself")
        if len(await self.list(who.user)) >= MOST:
            raise Conflict(f"an account has at most {MOST} API tokens: revoke one first")
        secret = new_secret()
        now = self._clock.now()
        token = ApiToken(
            id=_id(secret),
            user=who.user,
            label=label,
            scopes=tuple(sorted(wanted)),
            created=now,
            expires=shift_time(now, days * DAY_S),
        )
        # First in the audit trail: no token works without a trace of who made it.
        await self._acts.done("token.created", origin, accountable=True, account=who.user, token=token.id)
        await self._documents.insert(API_TOKENS, token.id, token.model_dump(mode="json") | {"hash": _hash(secret)})
        return NewApiToken(token, secret)

    async def list(self, user: str) -> list[ApiToken]:
        """The user's tokens, those that have expired among them, the oldest first."""
        found = await self._documents.find(API_TOKENS, {"user": user}, limit=2 * MOST)
        return sorted(map(_token, found), key=lambda token: (token.created, token.id))

    async def revoke(self, user: str, id: str, *, origin: Origin) -> None:
        """End a token of the user's. Raises NotFound."""
        found = await self._documents.get(API_TOKENS, id)
        if found.body["user"] != user or not await self._documents.delete(API_TOKENS, id):
            raise NotFound("no such token")
        await self._revocations.add(user, id)
        await self._acts.done("token.revoked", origin, accountable=True, account=user, token=id)

    async def principal(self, secret: Secret) -> Principal:
        """Who shows the token, with what both the token and the role allow now. Raises Unauthenticated."""
        if not is_well_formed(secret.reveal()):
            raise Unauthenticated("the token is malformed")
        try:
            found = await self._documents.get(API_TOKENS, _id(secret))
        except NotFound:
            raise Unauthenticated("the token is unknown or was revoked") from None
        token, now = _token(found), self._clock.now()
        if not hmac.compare_digest(found.body["hash"], _hash(secret)):
            raise Unauthenticated("the token is unknown or was revoked")
        if now >= token.expires:
            raise Unauthenticated("the token has expired")
        record = await self._accounts.find(token.user)
        if record is None or record.locked:
            raise Unauthenticated("the account is locked or was removed")
        await self._note_use(found, token, now)
        allowed = frozenset(permission for permission in ROLES[record.role] if permission in token.scopes)
        return Principal(user=record.name, role=record.role, permissions=allowed, methods=("token",), token=token.id)

    async def _note_use(self, found: Stored, token: ApiToken, now: str) -> None:
        if token.used and abs((parse_time(now) - parse_time(token.used)).total_seconds()) < self._note_use_s:
            return
        try:
            await self._documents.replace(API_TOKENS, found.id, found.body | {"used": now}, version=found.version)
        except Conflict:
            _log.debug("use of an API token not noted", api_token=token.id)  # another request has noted it

    async def sweep(self, keep_s: float) -> int:
        """Remove tokens that expired longer ago than that and return how many."""
        limit = shift_time(self._clock.now(), -keep_s)
        removed, after = 0, None
        while page := await self._documents.find(API_TOKENS, after=after):
            after = page[-1].id
            for found in page:
                if found.body["expires"] < limit:
                    removed += await self._documents.delete(API_TOKENS, found.id)
        return removed


def new_secret() -> Secret:
    """`lucid_pat_`, 256 random bits and a checksum, all letters and digits: scanners for leaked secrets can tell it
    from other text without asking."""
    random = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return Secret(PREFIX + random + _checksum(random))


def is_well_formed(text: str) -> bool:
    """Whether the text may be a token at all."""
    random, check = text[len(PREFIX) : -_CHECK], text[-_CHECK:]
    return len(text) == _LENGTH and text.isascii() and text.startswith(PREFIX) and check == _checksum(random)


def _checksum(text: str) -> str:
    """CRC-32 in base 62, six digits."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _hash(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def _id(secret: Secret) -> str:
    return _hash(secret)[:32]


def _token(found: Stored) -> ApiToken:
    return ApiToken.model_validate({name: value for name, value in found.body.items() if name != "hash"})
