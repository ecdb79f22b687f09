"""What the rules of access write into the audit trail, and for whom they act."""

from dataclasses import dataclass

import structlog

from lucid.base.clock import Clock
from lucid.base.ids import new_session_id
from lucid.ports.access import Audit, AuditEvent, Outcome

OPERATOR = "lucid-cli"
"""Who acts on the machine itself, with the command line."""

ANONYMOUS = "anonymous"
"""Who has not proved to be anybody. What was typed as a name is not written down: people type passwords there."""


@dataclass(frozen=True)
class Origin:
    """Who does something, and by which request from where, as far as that is known."""

    actor: str = OPERATOR
    address: str = ""
    request: str = ""

    def by(self, actor: str) -> "Origin":
        """The same request, once it is known who makes it."""
        return Origin(actor, self.address, self.request)


OPERATING = Origin()
UNKNOWN = Origin(ANONYMOUS)

_log = structlog.get_logger()


class Acts:
    """Writes acts into the audit trail. Durable when a call returns."""

    def __init__(self, *, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock

    async def done(self, act: str, origin: Origin, *, accountable: bool = False, **subject: str) -> None:
        """`act` took effect on `subject`."""
        await self.record(self.event(act, origin, accountable=accountable, **subject))

    async def denied(self, act: str, origin: Origin, **subject: str) -> None:
        """`act` was tried and refused."""
        await self.record(self._event(act, origin, Outcome.DENIED, False, subject))

    def event(self, act: str, origin: Origin, *, accountable: bool = False, **subject: str) -> AuditEvent:
        """`act` as it will stand in the trail when it is done; not recorded yet."""
        return self._event(act, origin, Outcome.DONE, accountable, subject)

    def _event(
        self, act: str, origin: Origin, outcome: Outcome, accountable: bool, subject: dict[str, str]
    ) -> AuditEvent:
        return AuditEvent(
            id=new_session_id(),
            time=self._clock.now(),
            actor=origin.actor,
            act=act,
            subject=subject,
            outcome=outcome,
            address=origin.address,
            request=origin.request,
            accountable=accountable,
        )

    async def record(self, event: AuditEvent) -> None:
        """Record an event; the same again is no error."""
        await self._audit.record(event=event)
        _log.info(event.act, actor=event.actor, outcome=event.outcome.value, **event.subject)
