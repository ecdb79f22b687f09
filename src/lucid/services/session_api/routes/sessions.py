"""/api/v1/sessions: connecting to a desktop, and the sessions that came of it."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from lucid.access.clients import freerdp_line, rdp_file
from lucid.base.clock import Time
from lucid.base.errors import Forbidden
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.model.policy import Policy
from lucid.model.session import SessionState
from lucid.ports.access import Approval, GatewayEndpoint
from lucid.ports.api import Caller, requires
from lucid.services.session_api.changes import session_events
from lucid.services.session_api.connecting import NewSession
from lucid.services.session_api.routes.forms import (
    ABSENT,
    SESSIONS,
    CallerOrigin,
    Cursor,
    Limit,
    SessionPath,
    Since,
    Sort,
    Until,
    Words,
    content,
    problems,
)
from lucid.services.session_api.search.searching import Asked
from lucid.services.session_api.service import SessionApi
from lucid.services.session_api.views import SessionDetail, SessionView, detail_of


class Connection(Value):
    """A single-use right to connect, until `expires`. `rdp` is an .rdp file that any client opens, `command` one for
    FreeRDP with that file's name. Whoever has the ticket can connect."""

    ticket: str = Field(examples=["k5nq…"])
    user: Name
    host: Name
    expires: Time
    policy: Policy
    endpoint: GatewayEndpoint
    rdp: str
    command: str


class PendingApproval(Value):
    """Another person has to agree first. Ask again with the approval's id once that has happened."""

    approval: Approval


class SessionPage(Value):
    """Sessions, the newest first unless another order was asked for; `next` continues behind them."""

    items: list[SessionView]
    total: int = Field(ge=0)
    next: str


def session_routes(service: SessionApi) -> APIRouter:
    """Routes of sessions as such."""
    router = APIRouter(prefix=SESSIONS, tags=["sessions"])
    read = requires(Permission.SESSIONS_READ)

    @router.post(
        "",
        status_code=201,
        summary="Connect to a desktop",
        operation_id="connect",
        responses={
            202: {"description": "Another person has to agree first", "model": PendingApproval},
            **problems(
                _403="more is asked for than the host allows, or a second factor or an approval is missing",
                _404="there is no such host or approval, or it is not for this person",
                _409="too many requests wait for approval",
                _429="too many wrong second factors",
            ),
        },
        **requires(Permission.SESSIONS_CONNECT),
    )
    async def connect(
        wanted: NewSession, principal: Caller, origin: CallerOrigin, response: Response
    ) -> Connection | PendingApproval:
        """A ticket for one connection within a short time, or the approval that has to be waited for."""
        granted = await service.connector.connect(wanted, principal, origin)
        if isinstance(granted, Approval):
            response.status_code = 202
            return PendingApproval(approval=granted)
        ticket = granted.ticket
        return Connection(
            ticket=ticket.secret.reveal(),
            user=ticket.user,
            host=ticket.host,
            expires=ticket.expires,
            policy=granted.policy,
            endpoint=granted.endpoint,
            rdp=rdp_file(granted.endpoint, ticket, granted.policy),
            command=freerdp_line(f"{ticket.host}.rdp", granted.endpoint),
        )

    @router.get("", summary="List and search sessions", operation_id="listSessions", **read)
    async def list_sessions(
        principal: Caller,
        text: Words = "",
        user: Annotated[Name | None, Query(description="only this person's", examples=["ada"])] = None,
        host: Annotated[Name | None, Query(description="only to this host", examples=["office"])] = None,
        state: Annotated[SessionState | None, Query(description="only in this state")] = None,
        since: Since = None,
        until: Until = None,
        sort: Sort = "",
        cursor: Cursor = "",
        limit: Limit = 50,
    ) -> SessionPage:
        """One's own; everybody's to those who may see all. Times bound the opening."""
        given = {"user": user, "host": host, "state": state and state.value}
        asked = Asked(
            kind="sessions",
            text=text,
            filters={name: (value,) for name, value in given.items() if value is not None},
            since=since,
            until=until,
            sort=sort,
            cursor=cursor,
            limit=limit,
        )
        found = await service.searcher.search(asked, principal)
        items = [SessionView.model_validate(hit.body) for hit in found.hits]
        return SessionPage(items=items, total=found.total, next=found.next)

    @router.get("/{id}", summary="See a session", operation_id="getSession", responses=problems(_404=ABSENT), **read)
    async def get_session(id: SessionPath, principal: Caller) -> SessionDetail:
        """Its state, and what was decided about its recording."""
        found = await service.library.session(id, principal)
        return detail_of(found, await service.library.kept(id))

    @router.get(
        "/{id}/events",
        summary="Watch a session",
        operation_id="watchSession",
        response_class=StreamingResponse,
        responses=content("text/event-stream", "Server-sent events", _404=ABSENT),
        **read,
    )
    async def watch_session(
        id: SessionPath,
        principal: Caller,
        last_event_id: Annotated[
            str, Header(max_length=32, description="id of the last event that was seen", examples=["recording"])
        ] = "",
    ) -> StreamingResponse:
        """Its states as server-sent events, the present one first, until it is proven or has failed. An event's id is
        the state; with it as Last-Event-ID a stream that broke off goes on."""
        found = await service.library.session(id, principal)
        events = session_events(
            found,
            service.pipeline,
            service.changes,
            seen=last_event_id,
            heartbeat_s=service.settings.heartbeat_s,
        )
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @router.post(
        "/{id}/terminate",
        status_code=204,
        summary="End a running session",
        operation_id="terminateSession",
        responses=problems(_403="it is somebody else's", _404=f"{ABSENT}, or it does not run"),
        **read,
    )
    async def terminate_session(id: SessionPath, principal: Caller, origin: CallerOrigin) -> None:
        """One's own; anybody's to those who may terminate sessions. What was recorded stays."""
        found = await service.library.session(id, principal)
        if found.user != principal.user and not principal.may(Permission.SESSIONS_TERMINATE):
            raise Forbidden(f"this needs the permission {Permission.SESSIONS_TERMINATE.value}")
        await service.gateway.terminate(session=id)
        await service.acts.done("session.terminated", origin, accountable=True, session=id, host=found.host)

    return router
