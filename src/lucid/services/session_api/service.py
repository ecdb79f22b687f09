"""The parts of session-api and how they hang together."""

import asyncio

import structlog

from lucid.access.acts import Acts
from lucid.base.clock import Clock, shift_time
from lucid.base.errors import Conflict, LucidError, NotFound
from lucid.base.tasks import Tasks
from lucid.model.session import SessionState
from lucid.ports.access import Accounts, Approvals, Audit, Gateway, Hosts, Tickets
from lucid.ports.log import Anchoring, DataChain, LogWriter
from lucid.ports.recording import Pipeline, Storage
from lucid.ports.search import Query, Range, SearchIndex
from lucid.ports.stores import Bus, Documents
from lucid.services.session_api.changes import Changes
from lucid.services.session_api.connecting import Connector
from lucid.services.session_api.keeping import SERVICE, RecordingKeeper
from lucid.services.session_api.library import Library
from lucid.services.session_api.memory import Memory
from lucid.services.session_api.search.indexer import Indexer
from lucid.services.session_api.search.kinds import COLLECTIONS
from lucid.services.session_api.search.searching import Searcher
from lucid.services.session_api.search.sources import Sources
from lucid.services.session_api.settings import SessionApiSettings

_log = structlog.get_logger()


class SessionApi:
    """Everything that the routes use. Runs between start() and stop()."""

    def __init__(
        self,
        settings: SessionApiSettings,
        *,
        pipeline: Pipeline,
        anchoring: Anchoring,
        bodies: DataChain,
        storage: Storage,
        log: LogWriter,
        tickets: Tickets,
        approvals: Approvals,
        accounts: Accounts,
        audit: Audit,
        hosts: Hosts,
        gateway: Gateway,
        index: SearchIndex,
        bus: Bus,
        documents: Documents,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.gateway = gateway
        self.acts = Acts(audit=audit, clock=clock)
        self.changes = Changes()
        self._clock = clock
        self._index = index
        self._tasks = Tasks(SERVICE)
        memory = Memory(documents)
        sources = Sources(pipeline=pipeline, memory=memory, hosts=hosts, accounts=accounts, audit=audit)
        self.indexer = Indexer(settings, index=index, sources=sources, bus=bus, changes=self.changes)
        self.searcher = Searcher(index=index, sources=sources, acts=self.acts)
        self.keeper = RecordingKeeper(
            settings,
            memory=memory,
            pipeline=pipeline,
            anchoring=anchoring,
            bodies=bodies,
            storage=storage,
            acts=self.acts,
            clock=clock,
            changed=self.indexer.session_changed,
            forget_typed=self.indexer.forget_typed,
        )
        self.library = Library(
            memory=memory,
            pipeline=pipeline,
            anchoring=anchoring,
            bodies=bodies,
            storage=storage,
            log=log,
            proof_wait_s=settings.proof_wait_s,
        )
        self.connector = Connector(
            hosts=hosts,
            accounts=accounts,
            approvals=approvals,
            tickets=tickets,
            gateway=gateway,
            acts=self.acts,
            ttl_s=settings.ticket_ttl_s,
        )

    async def start(self) -> None:
        await self.indexer.start()
        await self.keeper.start()
        if self.settings.retention_s:
            self._tasks.spawn(self._expire_regularly(), name="retention")

    async def stop(self) -> None:
        self.changes.close()
        await self._tasks.close()
        await self.searcher.stop()
        await self.keeper.stop()
        await self.indexer.stop()

    async def check(self) -> None:
        """Readiness: no background task has failed."""
        self._tasks.check()
        self.indexer.check()
        self.keeper.check()

    async def expire(self) -> int:
        """Delete the recordings that are older than `retention_s` and not held, and return how many."""
        oldest = shift_time(self._clock.now(), -self.settings.retention_s)
        where = {"state": (SessionState.PROVEN.value,), "deleted": ("false",), "held": ("false",)}
        query = Query(where=where, ranges=(Range(field="closed", at_most=oldest),), sort="closed", limit=200)
        expired = 0
        while True:
            page = await self._index.search(COLLECTIONS["sessions"], query)
            for hit in page.hits:
                try:
                    await self.keeper.delete(session=hit.id, reason="the time of keeping is over", actor=SERVICE)
                    expired += 1
                except (Conflict, NotFound) as error:  # NotFound: the index shows what is no more
                    _log.info("recording kept", session=hit.id, detail=error.detail)
            if not page.next:
                return expired
            query = query.model_copy(update={"cursor": page.next})

    async def _expire_regularly(self) -> None:
        while True:
            try:
                if expired := await self.expire():
                    _log.info("recordings deleted for their age", recordings=expired)
            except LucidError as error:
                _log.warning("retention waits", error=error.detail)
            await asyncio.sleep(self.settings.retention_check_s)
