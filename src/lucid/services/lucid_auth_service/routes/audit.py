"""/api/v1/audit: the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints

from lucid.access.audit import AuditFilter, AuditTrail
from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.access import AuditEvent, Outcome
from lucid.ports.api import API_PREFIX, requires

Act = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z-]+$", max_length=40)]
_EXAMPLE = "2026-11-22T21:42:00.000000Z"


class AuditQuery(Value):
    """Which events, in which order."""

    actor: Name | None = Field(default=None, description="who did it", examples=["ada"])
    act: Act | None = Field(default=None, description="what was done", examples=["account.created"])
    outcome: Outcome | None = None
    since: Time | None = Field(default=None, description="from this time on", examples=[_EXAMPLE])
    until: Time | None = Field(default=None, description="before this time", examples=[_EXAMPLE])
    newest_first: bool = True
    after: SessionId | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=50, ge=1, le=200)


class AuditPage(Value):
    """Events, and where to go on."""

    items: list[AuditEvent]
    next: str | None = Field(description="`after` of the next page; null: this is the last")


def audit_routes(trail: AuditTrail) -> APIRouter:
    """Routes of the audit trail."""
    router = APIRouter(prefix=f"{API_PREFIX}/audit", tags=["audit"])

    @router.get("", summary="Read the audit trail", operation_id="listAuditEvents", **requires(Permission.AUDIT_READ))
    async def list_audit_events(query: Annotated[AuditQuery, Query()]) -> AuditPage:
        """Who did what and when. Accountable acts are in the log as well."""
        wanted = AuditFilter(query.actor, query.act, query.outcome, query.since, query.until)
        events = await trail.search(wanted, after=query.after, newest_first=query.newest_first, limit=query.limit)
        return AuditPage(items=events, next=events[-1].id if len(events) == query.limit else None)

    return router
