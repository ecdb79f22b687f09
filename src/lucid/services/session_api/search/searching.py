"""Searching with the permissions of who asks, and rebuilding the index (port Search)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import Field

from lucid.access.acts import Acts, Origin
from lucid.base.errors import Conflict, Forbidden, InvalidInput, LucidError
from lucid.base.ids import Name
from lucid.base.tasks import Tasks
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.model.principal import Principal
from lucid.ports.search import Hit, Query, Range, Rebuild, SearchIndex, SearchKind
from lucid.services.session_api.search.indexer import KINDS
from lucid.services.session_api.search.kinds import COLLECTIONS, HIDDEN, NEWEST_FIRST
from lucid.services.session_api.search.sources import Sources

PERMISSIONS: dict[SearchKind, Permission] = {
    "sessions": Permission.SESSIONS_READ,
    "typed": Permission.SESSIONS_PLAY,
    "hosts": Permission.HOSTS_READ,
    "accounts": Permission.ACCOUNTS_READ,
    "audit": Permission.AUDIT_READ,
}

_log = structlog.get_logger()


class Asked(Value):
    """A search as somebody asks for it. `filters` are those that were given; `since` and `until` bound the time that
    the kind is about."""

    kind: SearchKind
    text: str = ""
    filters: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    since: str | None = None
    until: str | None = None
    sort: str = ""
    cursor: str = ""
    limit: int = 50


class Found(Value):
    """What was found: hits whose body is what may be shown, how many there are in all, and how to go on."""

    hits: tuple[Hit, ...]
    total: int
    next: str


_TIMES: dict[SearchKind, str] = {
    "sessions": "opened",
    "typed": "opened",
    "hosts": "added",
    "accounts": "created",
    "audit": "time",
}


class Searcher:
    """Implements the port Search, and answers people."""

    def __init__(self, *, index: SearchIndex, sources: Sources, acts: Acts) -> None:
        self._index = index
        self._sources = sources
        self._acts = acts
        self._tasks = Tasks("session-api rebuild")
        self._state = Rebuild(running=False)
        self._changed = asyncio.Event()

    async def stop(self) -> None:
        await self._tasks.close()

    async def search(self, asked: Asked, principal: Principal) -> Found:
        """Raises Forbidden without the permission for the kind, InvalidInput for what does not fit it."""
        if not principal.may(PERMISSIONS[asked.kind]):
            raise Forbidden(f"this needs the permission {PERMISSIONS[asked.kind].value}")
        collection = COLLECTIONS[asked.kind]
        if unknown := sorted(asked.filters.keys() - collection.fields.keys()):
            raise InvalidInput(f"{unknown[0]}: {asked.kind} have no such field", field=unknown[0])
        if asked.sort.removeprefix("-") in HIDDEN:
            raise InvalidInput(f"sort: {asked.kind} have no such field", field="sort")
        ranges: tuple[Range, ...] = ()
        if asked.since is not None or asked.until is not None:
            ranges = (Range(field=_TIMES[asked.kind], at_least=asked.since, at_most=asked.until),)
        where = {**asked.filters, **_limits(asked.kind, asked.filters, principal)}
        query = Query(
            text=asked.text,
            where=where,
            ranges=ranges,
            sort=asked.sort or NEWEST_FIRST[asked.kind],
            cursor=asked.cursor,
            limit=asked.limit,
        )
        page = await self._index.search(collection, query)
        hits = tuple(hit.model_copy(update={"body": _shown(hit.body)}) for hit in page.hits)
        return Found(hits=hits, total=page.total, next=page.next)

    async def rebuild(self, *, actor: Name | None = None) -> None:
        if self._state.running:
            raise Conflict("the search index is being rebuilt")
        self._say(Rebuild(running=True))
        self._tasks.spawn(self._rebuild(), name="rebuild")
        await self._acts.done("search.rebuilt", Origin() if actor is None else Origin(actor))

    async def rebuild_state(self, *, wait_s: float) -> Rebuild:
        before, changed = self._state, self._changed
        if wait_s > 0 and before.running:
            try:
                async with asyncio.timeout(wait_s):
                    await changed.wait()
            except TimeoutError:
                pass
        return self._state

    async def _rebuild(self) -> None:
        try:
            for kind in KINDS:
                await self._rebuild_kind(kind)
        except LucidError as error:
            _log.error("search index not rebuilt", error=error.slug, detail=error.detail)
            self._say(self._state.model_copy(update={"running": False, "error": error.detail}))
        else:
            _log.info("search index rebuilt", documents=self._state.indexed)
            self._say(self._state.model_copy(update={"running": False, "kind": ""}))

    async def _rebuild_kind(self, kind: SearchKind) -> None:
        collection = COLLECTIONS[kind]
        expected = (await self._index.search(collection, Query(limit=1))).total
        self._say(self._state.model_copy(update={"kind": kind, "done": 0, "expected": expected}))
        generation = await self._index.begin_rebuild(collection)
        kept = False
        try:
            async for page in self._sources.pages(kind):
                await self._index.put_rebuilt(collection, generation, page)
                if forgotten := await self._sources.forgotten(kind, page):
                    await self._index.delete(collection, forgotten)
                done, indexed = self._state.done + len(page), self._state.indexed + len(page)
                self._say(self._state.model_copy(update={"done": done, "indexed": indexed}))
            kept = True
        finally:
            await self._index.end_rebuild(collection, generation, keep=kept)

    def _say(self, state: Rebuild) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()


def _limits(
    kind: SearchKind, filters: Mapping[str, tuple[str, ...]], principal: Principal
) -> dict[str, tuple[str, ...]]:
    """What is added to the filters, so that nobody finds what they may not see."""
    if kind in ("sessions", "typed") and not principal.may(Permission.SESSIONS_READ_ALL):
        mine = principal.user in filters.get("user", (principal.user,))
        return {"user": (principal.user,) if mine else ()}
    if kind == "hosts" and not principal.may(Permission.HOSTS_MANAGE):
        return {"admits": (f"user:{principal.user}", f"role:{principal.role}")}
    return {}


def _shown(body: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = body["shown"]
    return shown
