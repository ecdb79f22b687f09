"""Keeping the search index as the stores are: by events, which may be lost, and by comparing, which finds the rest."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import get_args

import structlog

from lucid.base.errors import LucidError, NotFound
from lucid.base.tasks import Tasks
from lucid.ports.access import AuditEvent
from lucid.ports.search import Indexed, Query, SearchIndex, SearchKind
from lucid.ports.stores import Bus, Event
from lucid.services.session_api.changes import Changes
from lucid.services.session_api.search.kinds import COLLECTIONS, audit_document
from lucid.services.session_api.search.sources import PAGE, Sources
from lucid.services.session_api.settings import SessionApiSettings

KINDS: tuple[SearchKind, ...] = get_args(SearchKind)
SESSIONS_TOPIC = "sessions"
AUDIT_TOPIC = "audit.event"
_SMALL: dict[str, SearchKind] = {"host": "hosts", "desktop": "hosts", "account": "accounts"}
"""Kinds that are compared as a whole, by the first word of the acts that change them."""
_UNFINISHED = ("opening", "recording", "sealing", "anchoring")
_WAIT_S = 5.0
_RETRY_S = 1.0

_log = structlog.get_logger()


class Indexer:
    """Runs between start() and stop(). Whoever changes something calls `session_changed`, or an event tells of it;
    every `catch_up_s` seconds the newest are compared, every `sweep_s` everything."""

    def __init__(
        self, settings: SessionApiSettings, *, index: SearchIndex, sources: Sources, bus: Bus, changes: Changes
    ) -> None:
        self._settings = settings
        self._index = index
        self._sources = sources
        self._bus = bus
        self._changes = changes
        self._tasks = Tasks("session-api index")

    async def start(self) -> None:
        self._tasks.spawn(self._follow(SESSIONS_TOPIC, self._sessions_told), name="sessions")
        self._tasks.spawn(self._follow(AUDIT_TOPIC, self._acts_told), name="acts")
        self._tasks.spawn(self._compare(), name="compare")

    async def stop(self) -> None:
        await self._tasks.close()

    def check(self) -> None:
        """Raises the failure of a background task, if there was one."""
        self._tasks.check()

    async def session_changed(self, session: str) -> None:
        """Show the session as it is now. While the index does not answer the comparing has to do it."""
        self._changes.tell(session)
        try:
            await self._put_sessions([session])
        except LucidError as error:
            _log.warning("session is indexed later", session=session, error=error.detail)

    async def forget_typed(self, session: str) -> None:
        """Take out what was typed in a session."""
        query = Query(where={"session": (session,)}, limit=PAGE)
        while hits := (await self._index.search(COLLECTIONS["typed"], query)).hits:
            await self._index.delete(COLLECTIONS["typed"], [hit.id for hit in hits])

    async def catch_up(self, kind: SearchKind, *, whole: bool) -> int:
        """Put what the index lacks, and return how much that was. Unless `whole`, of kinds that only grow the newest
        pages until one that it has. Of the others, what is gone is taken out."""
        seen, changed = set[str](), 0
        small = kind in _SMALL.values()
        async for page in self._sources.pages(kind):
            stale = await self._stale(kind, page)
            if stale:
                await self._put(kind, stale)
            changed += len(stale)
            seen |= {document.id for document in page} if small else set()
            if not stale and not whole and not small:
                break
        return changed + (await self._remove_others(kind, seen) if small else 0)

    async def _put(self, kind: SearchKind, documents: list[Indexed]) -> None:
        await self._index.put(COLLECTIONS[kind], documents)
        if forgotten := await self._sources.forgotten(kind, documents):
            await self._index.delete(COLLECTIONS[kind], forgotten)

    async def _stale(self, kind: SearchKind, page: list[Indexed]) -> list[Indexed]:
        query = Query(where={"id": tuple(document.id for document in page)}, limit=PAGE)
        known = {hit.id: hit.body for hit in (await self._index.search(COLLECTIONS[kind], query)).hits}
        return [document for document in page if known.get(document.id) != document.body]

    async def _remove_others(self, kind: SearchKind, ids: set[str]) -> int:
        query, others = Query(limit=PAGE), list[str]()
        while True:
            page = await self._index.search(COLLECTIONS[kind], query)
            others += [hit.id for hit in page.hits if hit.id not in ids]
            if not page.next:
                break
            query = query.model_copy(update={"cursor": page.next})
        if others:
            await self._index.delete(COLLECTIONS[kind], others)
        return len(others)

    async def _unfinished(self) -> None:
        """Sessions that the index shows as going on: their end may have been told by an event that was lost."""
        query = Query(where={"state": _UNFINISHED}, limit=PAGE)
        while True:
            page = await self._index.search(COLLECTIONS["sessions"], query)
            await self._put_sessions(hit.id for hit in page.hits)
            if not page.next:
                return
            query = query.model_copy(update={"cursor": page.next})

    async def _put_sessions(self, sessions: Iterable[str]) -> None:
        documents = []
        for session in dict.fromkeys(sessions):
            try:
                documents.append(await self._sources.session(session))
            except NotFound:
                _log.warning("event of an unknown session", session=session)
        if stale := await self._stale("sessions", documents) if documents else []:
            await self._index.put(COLLECTIONS["sessions"], stale)

    async def _compare(self) -> None:
        """At the start, and then in intervals."""
        loop = asyncio.get_running_loop()
        swept: float | None = None
        while True:
            whole = swept is None or loop.time() - swept >= self._settings.sweep_s
            try:
                for kind in KINDS:
                    if changed := await self.catch_up(kind, whole=whole):
                        _log.info("search index caught up", kind=kind, documents=changed)
                await self._unfinished()
                swept = loop.time() if whole else swept
            except LucidError as error:
                _log.warning("search index cannot be compared", error=error.detail)
            await asyncio.sleep(self._settings.catch_up_s)

    async def _follow(self, topic: str, told: Callable[[list[Event]], Awaitable[None]]) -> None:
        after = "$"
        while True:
            try:
                events = await self._bus.read(topic, after=after, wait_s=_WAIT_S, limit=PAGE)
                if events:
                    after = events[-1].position
                    await told(events)
            except (LucidError, KeyError, ValueError) as error:  # or those of another version
                _log.warning("events are missed; comparing finds them", topic=topic, error=str(error)[:200])
                await asyncio.sleep(_RETRY_S)

    async def _sessions_told(self, events: list[Event]) -> None:
        sessions = [str(event.body["session"]) for event in events]
        for session in sessions:
            self._changes.tell(session)
        await self._put_sessions(sessions)
        for session in dict.fromkeys(str(event.body["session"]) for event in events if "typed" in event.body):
            if stale := await self._stale("typed", await self._sources.typed(session)):
                await self._put("typed", stale)

    async def _acts_told(self, events: list[Event]) -> None:
        acts = [AuditEvent.model_validate(event.body) for event in events]
        await self._index.put(COLLECTIONS["audit"], [audit_document(act) for act in acts])
        for kind in {_SMALL[word] for act in acts if (word := act.act.partition(".")[0]) in _SMALL}:
            await self.catch_up(kind, whole=True)
