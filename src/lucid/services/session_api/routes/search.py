"""/api/v1/search: sessions, typed text, hosts, accounts and the audit trail by words and filters."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.ports.search import Rebuild, SearchKind
from lucid.services.session_api.routes.forms import Cursor, Limit, Since, Sort, Until, Words, problems
from lucid.services.session_api.search.searching import Asked
from lucid.services.session_api.service import SessionApi

Word = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]


class SearchHit(Value):
    """A hit: the thing itself, and fragments of what it was found by, HTML-escaped, with `<em>` around the words."""

    id: str
    item: dict[str, Any]
    highlights: list[str] = Field(examples=[["<em>office</em>"]])


class SearchPage(Value):
    """Hits in order; `next` continues behind them."""

    kind: SearchKind
    items: list[SearchHit]
    total: int = Field(ge=0)
    next: str


def search_routes(service: SessionApi) -> APIRouter:
    """Routes of search."""
    router = APIRouter(prefix=f"{API_PREFIX}/search", tags=["search"])

    @router.get("", summary="Search", operation_id="search", **requires(Permission.ACCOUNT_OWN))
    async def search(
        principal: Caller,
        kind: Annotated[SearchKind, Query(description="what to search")],
        q: Words = "",
        user: Annotated[Name | None, Query(description="of this person", examples=["ada"])] = None,
        host: Annotated[Name | None, Query(description="to or of this host", examples=["office"])] = None,
        session: Annotated[Word | None, Query(description="text typed in, or acts about, this session")] = None,
        state: Annotated[Word | None, Query(description="sessions in this state", examples=["proven"])] = None,
        end: Annotated[Word | None, Query(description="sessions that ended so", examples=["idle-limit"])] = None,
        held: Annotated[bool | None, Query(description="sessions under a hold")] = None,
        deleted: Annotated[bool | None, Query(description="sessions whose recording is deleted")] = None,
        pool: Annotated[Name | None, Query(description="hosts of this pool", examples=["office-pcs"])] = None,
        role: Annotated[Word | None, Query(description="accounts of this role", examples=["admin"])] = None,
        locked: Annotated[bool | None, Query(description="locked accounts")] = None,
        act: Annotated[Word | None, Query(description="acts of this kind", examples=["recording.held"])] = None,
        outcome: Annotated[Word | None, Query(description="acts that ended so", examples=["denied"])] = None,
        since: Since = None,
        until: Until = None,
        sort: Sort = "",
        cursor: Cursor = "",
        limit: Limit = 50,
    ) -> SearchPage:
        """By all words of `q` and all filters, of which each kind knows its own. Needs the permission of the kind:
        `sessions:read` (for `typed` `sessions:play`; one's own, or everybody's with `sessions:read-all`), `hosts:read`,
        `accounts:read`, `audit:read`."""
        texts = {"user": user, "host": host, "session": session, "state": state, "end": end, "pool": pool}
        more = {"role": role, "act": act, "outcome": outcome}
        flags = {"held": held, "deleted": deleted, "locked": locked}
        filters = {name: (value,) for name, value in {**texts, **more}.items() if value is not None}
        filters |= {name: (str(value).lower(),) for name, value in flags.items() if value is not None}
        asked = Asked(
            kind=kind, text=q, filters=filters, since=since, until=until, sort=sort, cursor=cursor, limit=limit
        )
        found = await service.searcher.search(asked, principal)
        items = [
            SearchHit(id=hit.id, item=hit.body, highlights=list(hit.highlights.get("text", ()))) for hit in found.hits
        ]
        return SearchPage(kind=kind, items=items, total=found.total, next=found.next)

    @router.post(
        "/rebuild",
        status_code=202,
        summary="Make the search index again",
        operation_id="rebuildSearch",
        responses=problems(_409="it is being rebuilt already"),
        **requires(Permission.PLATFORM_MANAGE),
    )
    async def rebuild_search(principal: Caller) -> Rebuild:
        """From the stores, while searches go on."""
        await service.searcher.rebuild(actor=principal.user)
        return await service.searcher.rebuild_state(wait_s=0)

    @router.get(
        "/rebuild",
        summary="How far the rebuilding is",
        operation_id="getSearchRebuild",
        **requires(Permission.PLATFORM_MANAGE),
    )
    async def get_search_rebuild() -> Rebuild:
        """Of the one that runs, or ran last."""
        return await service.searcher.rebuild_state(wait_s=0)

    return router
