"""Accounts, logins, tickets, approvals and the audit trail put together, and the removal of what has ended."""

import asyncio

import structlog

from lucid.access.acts import Acts
from lucid.access.announcing import Announcer
from lucid.access.approvals import ApprovalDesk, ApprovalRules
from lucid.access.audit import AuditTrail
from lucid.access.factors.lockout import Backoff, Lockout
from lucid.access.factors.passwords import Passwords
from lucid.access.one_time import sweep_one_time
from lucid.access.owed import Logins
from lucid.access.tickets import TicketOffice, TicketRules
from lucid.base.clock import Clock
from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.ports.access import Audit
from lucid.ports.log import Anchoring
from lucid.ports.stores import Bus, Documents
from lucid.services.lucid_auth_service.credentials import Credentials
from lucid.services.lucid_auth_service.people import People
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings

_log = structlog.get_logger()


class AuthService:
    """What it offers: `tickets`, `accounts`, `credentials`, `approvals`, `trail`. The sweeper and the outboxes run
    between start() and stop(). Tests give it cheap `passwords`, and their own `audit` and `logins` to look into."""

    def __init__(
        self,
        settings: LucidAuthServiceSettings,
        *,
        documents: Documents,
        bus: Bus,
        anchoring: Anchoring,
        clock: Clock,
        passwords: Passwords | None = None,
        audit: Audit | None = None,
        logins: Logins | None = None,
    ) -> None:
        self._announcer = Announcer(bus)
        self.trail = AuditTrail(documents=documents, anchoring=anchoring, announcer=self._announcer, clock=clock)
        audit = audit or self.trail
        self.acts = acts = Acts(audit=audit, clock=clock)
        self.credentials = Credentials(settings, documents=documents, clock=clock, announcer=self._announcer, acts=acts)
        backoff = Backoff(
            settings.free_failures, settings.first_pause_s, settings.longest_pause_s, settings.forget_failures_s
        )
        self._lockout = Lockout(backoff, documents=documents, clock=clock)
        self.people = People(
            settings,
            documents=documents,
            clock=clock,
            lockout=self._lockout,
            passwords=passwords or Passwords(),
            audit=audit,
            logins=logins or self.credentials.logins,
        )
        self.accounts = self.people.accounts
        self.tickets = TicketOffice(
            TicketRules(settings.max_ticket_ttl_s, settings.ticket_skew_s, settings.remember_ticket_s),
            documents=documents,
            accounts=self.people.store,
            acts=acts,
            clock=clock,
        )
        self.approvals = ApprovalDesk(
            ApprovalRules(settings.approval_wait_s, settings.approval_use_s, settings.keep_ended_s),
            documents=documents,
            announcer=self._announcer,
            acts=acts,
            clock=clock,
        )
        self._settings = settings
        self._documents, self._clock = documents, clock
        self._tasks = Tasks("lucid-auth-service")

    async def start(self) -> None:
        await self.credentials.keys.maintain()
        await self._create_administrator()
        await self._announcer.start()
        await self.trail.start()
        self._tasks.spawn(self._sweep_regularly(), name="sweep")

    async def stop(self) -> None:
        await self._tasks.close()
        await self.trail.stop()
        await self._announcer.stop()

    async def check(self) -> None:
        """Readiness: raises the failure of a background task, if there was one. That the log or the bus is away is
        none: acts wait for the log."""
        for part in (self._tasks, self.trail, self._announcer):
            part.check()

    async def sweep(self) -> int:
        """Remove what has ended, and return how much that was."""
        ended = await sweep_one_time(self._documents, self._clock) + await self._lockout.sweep()
        ended += await self.tickets.sweep() + await self.approvals.sweep()
        return ended + await self.credentials.sweep() + await self.trail.sweep(self._settings.keep_denied_s)

    async def _create_administrator(self) -> None:
        password = self._settings.administrator_password
        if password.reveal() and not await self.accounts.list(limit=1):
            await self.accounts.create_administrator(password)

    async def _sweep_regularly(self) -> None:
        while True:
            try:
                await self.people.owed.settle_all()
                _log.debug("swept", removed=await self.sweep())
            except LucidError as error:
                _log.warning("sweep failed, trying again later", error=error.slug, detail=error.detail)
            await asyncio.sleep(self._settings.sweep_interval_s)
