"""Single-use connection tickets (port Tickets)."""

import base64
import hashlib
import secrets
from dataclasses import dataclass

import structlog

from lucid.access.acts import UNKNOWN, Acts, Origin
from lucid.access.records import AccountStore
from lucid.base.clock import Clock, shift_time
from lucid.base.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from lucid.base.secret import Secret
from lucid.model.host import Grant, Ticket
from lucid.model.policy import Policy
from lucid.ports.stores import Documents

TICKETS = "tickets"
_SECRET_BYTES = 32

_log = structlog.get_logger()


@dataclass(frozen=True)
class TicketRules:
    """Times in seconds: the longest life of a ticket; how far the clock may be behind the one that stamped
    a ticket; how long a ticket is remembered after its end, to say why it does not work."""

    max_ttl_s: int = 3600
    skew_s: float = 5.0
    remember_s: float = 3600.0


class TicketOffice:
    """Tickets in documents, found by the SHA-256 of their secret, which itself is not stored. Using one up is
    a replacement of its first version, so that of two attempts at the same time one wins. Who has been locked out since
    cannot use it."""

    def __init__(
        self, rules: TicketRules, *, documents: Documents, accounts: AccountStore, acts: Acts, clock: Clock
    ) -> None:
        self._rules = rules
        self._documents = documents
        self._accounts = accounts
        self._acts = acts
        self._clock = clock

    async def issue(self, *, user: str, host: str, policy: Policy, ttl_s: int = 120) -> Ticket:
        """As the port says. Raises InvalidInput for a life that is not between 1 second and the limit."""
        if not 1 <= ttl_s <= self._rules.max_ttl_s:
            raise InvalidInput(f"ttl_s: expected 1 to {self._rules.max_ttl_s} seconds", field="ttl_s")
        secret = _new_secret()
        issued = self._clock.now()
        ticket = Ticket(secret=secret, user=user, host=host, expires=shift_time(issued, ttl_s))
        grant = Grant(user=user, host=host, policy=policy)
        body = {"grant": grant.model_dump(mode="json"), "issued": issued, "expires": ticket.expires, "used": None}
        await self._documents.insert(TICKETS, _key(secret), body)
        await self._acts.done("ticket.issued", Origin(user), account=user, host=host, reference=_reference(secret))
        return ticket

    async def redeem(self, *, secret: Secret) -> Grant:
        now = self._clock.now()
        try:
            found = await self._documents.get(TICKETS, _key(secret))
        except NotFound:
            # Not an act in the audit trail: anybody could fill that.
            _log.warning("ticket refused", reason="unknown", reference=_reference(secret))
            raise Unauthenticated("the ticket is unknown") from None
        grant = Grant.model_validate(found.body["grant"])
        if found.body["used"] is not None:
            raise await self._refusal(secret, grant, "used")
        # A clock before the ticket's own beginning was set back; the ticket would live longer than allowed.
        if not shift_time(found.body["issued"], -self._rules.skew_s) <= now < found.body["expires"]:
            raise await self._refusal(secret, grant, "expired")
        if await self._accounts.is_barred(grant.user):
            raise await self._refusal(secret, grant, "of an account that is locked")
        try:
            await self._documents.replace(TICKETS, found.id, found.body | {"used": now}, version=found.version)
        except Conflict:
            raise await self._refusal(secret, grant, "used") from None
        who = Origin(grant.user)
        await self._acts.done("ticket.redeemed", who, account=grant.user, host=grant.host, reference=_reference(secret))
        return grant

    async def _refusal(self, secret: Secret, grant: Grant, reason: str) -> Unauthenticated:
        about = {"account": grant.user, "host": grant.host, "reference": _reference(secret)}
        await self._acts.denied("ticket.redeemed", UNKNOWN, reason=reason, **about)
        return Unauthenticated(f"the ticket is {reason}")

    async def sweep(self) -> int:
        """Remove tickets whose end is long past and return how many."""
        limit = shift_time(self._clock.now(), -self._rules.remember_s)
        removed, after = 0, None
        while page := await self._documents.find(TICKETS, after=after):
            after = page[-1].id
            for found in page:
                if found.body["expires"] < limit:
                    removed += await self._documents.delete(TICKETS, found.id)
        return removed


def _new_secret() -> Secret:
    """256 random bits as 52 characters of base32: fits an RDP routing token and a `loadbalanceinfo` line."""
    return Secret(base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=").lower())


def _key(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def _reference(secret: Secret) -> str:
    """What the log calls a ticket: issue and redemption can be matched, the secret not be derived."""
    return _key(secret)[:12]
