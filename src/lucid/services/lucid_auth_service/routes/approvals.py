"""/api/v1/approvals: requests to connect that another person decides."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictBool

from lucid.access.approvals import ApprovalDesk
from lucid.base.errors import NotFound
from lucid.base.ids import SessionId
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.access import Approval, ApprovalState
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.lucid_auth_service.routes.forms import CallerOrigin, problems


class ApprovalQuery(Value):
    """Which approvals."""

    state: ApprovalState | None = None
    after: SessionId | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=50, ge=1, le=200)


class ApprovalPage(Value):
    """Approvals, the newest first, and where to go on."""

    items: list[Approval]
    next: str | None = Field(description="`after` of the next page; null: this is the last")


class Decision(Value):
    """Whether the person may connect."""

    approve: StrictBool = Field(examples=[True])


def approval_routes(approvals: ApprovalDesk) -> APIRouter:
    """Routes of approvals."""
    router = APIRouter(prefix=f"{API_PREFIX}/approvals", tags=["approvals"])
    own = requires(Permission.SESSIONS_CONNECT)

    @router.get("", summary="List approvals", operation_id="listApprovals", **own)
    async def list_approvals(query: Annotated[ApprovalQuery, Query()], principal: Caller) -> ApprovalPage:
        """One's own; with the permission `approvals:decide` everybody's."""
        user = None if principal.may(Permission.APPROVALS_DECIDE) else principal.user
        page = await approvals.page(user=user, state=query.state, after=query.after, limit=query.limit)
        return ApprovalPage(items=page, next=page[-1].id if len(page) == query.limit else None)

    @router.get(
        "/{id}",
        summary="See an approval",
        operation_id="getApproval",
        responses=problems(_404="there is no such approval"),
        **own,
    )
    async def get_approval(id: Annotated[SessionId, Path()], principal: Caller) -> Approval:
        """One's own; with the permission `approvals:decide` everybody's."""
        approval = await approvals.get(id=id)
        if approval.user != principal.user and not principal.may(Permission.APPROVALS_DECIDE):
            raise NotFound("no such approval")
        return approval

    @router.post(
        "/{id}/decision",
        summary="Approve or deny",
        operation_id="decideApproval",
        responses=problems(
            _403="the request is your own: another person has to decide",
            _404="there is no such approval",
            _409="it is decided, used or has expired",
        ),
        **requires(Permission.APPROVALS_DECIDE),
    )
    async def decide_approval(
        id: Annotated[SessionId, Path()], decision: Decision, principal: Caller, origin: CallerOrigin
    ) -> Approval:
        """Decided once; nobody decides about a request of their own."""
        return await approvals.decide(id=id, by=principal.user, approve=decision.approve, origin=origin)

    return router
