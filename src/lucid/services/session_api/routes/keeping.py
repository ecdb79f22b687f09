"""/api/v1/sessions/{id}/…: holds, shares and deletion."""

from fastapi import APIRouter
from pydantic import Field

from lucid.base.value import Value
from lucid.model.kept import Kept, Share
from lucid.model.permission import Permission
from lucid.ports.api import Caller, requires
from lucid.services.session_api.routes.forms import ABSENT, SESSIONS, SessionPath, problems
from lucid.services.session_api.service import SessionApi

_GONE = "the recording is deleted"


class Reason(Value):
    """Why; it stands in the audit trail."""

    reason: str = Field(default="", max_length=500, pattern=r"^[^\x00]*$", examples=["case 2026-17"])


class NewShare(Value):
    """Who is to be able to open the recording. `wrapped` is the data key as an age file to the recipient, in base64;
    without it the platform wraps the key, if it can."""

    recipient: str = Field(
        pattern=r"^age1[0-9a-z]+$",
        max_length=200,
        examples=["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    )
    wrapped: str | None = Field(default=None, max_length=4096, pattern=r"^[A-Za-z0-9+/]+={0,2}$", examples=[None])


class ShareList(Value):
    """All shares of a recording, in the order in which they were made."""

    items: list[Share]
    next: str | None = None


def keeping_routes(service: SessionApi) -> APIRouter:
    """Routes of what is decided about recordings."""
    router = APIRouter(prefix=SESSIONS, tags=["recordings"])
    keeper, library = service.keeper, service.library
    hold, delete = requires(Permission.SESSIONS_HOLD), requires(Permission.SESSIONS_DELETE)

    @router.put(
        "/{id}/hold",
        summary="Forbid deletion",
        operation_id="holdSession",
        responses=problems(_404=ABSENT, _409=_GONE),
        **hold,
    )
    async def hold_session(id: SessionPath, why: Reason, principal: Caller) -> Kept:
        """Until the hold is lifted neither a person nor the end of its retention deletes the recording."""
        await library.session(id, principal)
        return _public(await keeper.hold(session=id, reason=why.reason, actor=principal.user))

    @router.delete(
        "/{id}/hold",
        status_code=204,
        summary="Lift the hold",
        operation_id="liftHold",
        responses=problems(_404=ABSENT),
        **hold,
    )
    async def lift_hold(id: SessionPath, principal: Caller) -> None:
        """Without a hold nothing happens."""
        await library.session(id, principal)
        await keeper.lift(session=id, actor=principal.user)

    @router.get(
        "/{id}/shares",
        summary="Who can open it besides its owner",
        operation_id="listShares",
        responses=problems(_404=ABSENT),
        **requires(Permission.SESSIONS_READ),
    )
    async def list_shares(id: SessionPath, principal: Caller) -> ShareList:
        """With each recipient's wrapped key, which only the recipient can open."""
        await library.session(id, principal)
        return ShareList(items=list((await library.kept(id)).shares))

    @router.post(
        "/{id}/shares",
        status_code=201,
        summary="Add an auditor",
        operation_id="shareSession",
        responses=problems(
            _404=ABSENT, _409="the session is not proven yet, or deleted, or the platform cannot wrap its key"
        ),
        **requires(Permission.SESSIONS_SHARE),
    )
    async def share_session(id: SessionPath, new: NewShare, principal: Caller) -> Share:
        """An age recipient can open the recording from now on; an entry in the log says so."""
        await library.session(id, principal)
        return await keeper.share(session=id, recipient=new.recipient, wrapped=new.wrapped, actor=principal.user)

    @router.delete(
        "/{id}",
        status_code=202,
        summary="Delete a recording",
        operation_id="deleteSession",
        responses=problems(_404=ABSENT, _409="it is held, not proven yet, or has to be kept for longer"),
        **delete,
    )
    async def delete_session(id: SessionPath, principal: Caller) -> Kept:
        """Chunks, manifest and keys are destroyed; that the session was recorded, and deleted, stays proven by the
        log. `deletion.complete` says whether that is finished; it goes on by itself."""
        await library.session(id, principal)
        return _public(await keeper.delete(session=id, actor=principal.user))

    return router


def _public(kept: Kept) -> Kept:
    """Without the shares, which have a route of their own."""
    return kept.model_copy(update={"shares": ()})
