"""Accounts and tickets put together, and the removal of what has ended."""

import asyncio

import structlog

from lucid.access.accounts import Logins
from lucid.access.lockout import Backoff, Lockout
from lucid.access.one_time import sweep_one_time
from lucid.access.passwords import Passwords
from lucid.access.tickets import TicketOffice, TicketRules
from lucid.base.clock import Clock
from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.ports.access import Audit, AuditEvent
from lucid.ports.stores import Documents
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings

_log = structlog.get_logger()


class AuthService:
    """`tickets` and `accounts` are what it offers; the sweeper runs between start() and stop()."""

    def __init__(
        self,
        settings: LucidAuthServiceSettings,
        *,
        documents: Documents,
        clock: Clock,
        passwords: Passwords | None = None,
        audit: Audit | None = None,
        logins: Logins | None = None,
    ) -> None:
        rules = TicketRules(settings.max_ticket_ttl_s, settings.ticket_skew_s, settings.remember_ticket_s)
        backoff = Backoff(
            settings.free_failures, settings.first_pause_s, settings.longest_pause_s, settings.forget_failures_s
        )
        self._lockout = Lockout(backoff, documents=documents, clock=clock)
        self.tickets = TicketOffice(rules, documents=documents, clock=clock)
        self.people = People(
            settings,
            documents=documents,
            clock=clock,
            lockout=self._lockout,
            passwords=passwords or Passwords(),
            audit=audit or _NoAudit(),
            logins=logins or _NoLogins(),
        )
        self.accounts = self.people.accounts
        self._documents, self._clock = documents, clock
        self._interval_s = settings.sweep_interval_s
        self._tasks = Tasks("lucid-auth-service")

    async def start(self) -> None:
        self._tasks.spawn(self._sweep_regularly(), name="sweep")

    async def stop(self) -> None:
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: raises the failure of the sweeper, if there was one."""
        self._tasks.check()

    async def sweep(self) -> int:
        """Remove ended tickets, logins that were not finished and forgotten failures, and return how many."""
        one_time = await sweep_one_time(self._documents, self._clock)
        return one_time + await self.tickets.sweep() + await self._lockout.sweep()

    async def _sweep_regularly(self) -> None:
        while True:
            try:
                _log.debug("swept", removed=await self.sweep())
            except LucidError as error:
                _log.warning("sweep failed, trying again later", error=error.slug, detail=error.detail)
            await asyncio.sleep(self._interval_s)


class _NoAudit:
    """Until the audit trail is there: the log has the acts."""

    async def record(self, *, event: AuditEvent) -> None:
        return None

    async def events(
        self, *, after: str | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[AuditEvent]:
        return []


class _NoLogins:
    """Until there are tokens to revoke."""

    async def revoke(self, user: str) -> None:
        return None
