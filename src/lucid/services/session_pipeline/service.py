"""The pipeline: one worker a session, and the port that everybody else sees."""

import asyncio

import structlog

from lucid.base.errors import Conflict, LucidError, NotFound, Unavailable
from lucid.base.tasks import Tasks
from lucid.model.host import Grant
from lucid.model.session import Session, SessionEnd, SessionState
from lucid.ports.recording import SessionOpened, TypedText
from lucid.recording.lifecycle import SessionRecord
from lucid.services.session_pipeline.orphans import Orphans
from lucid.services.session_pipeline.worker import Line, Worker

UNFINISHED = (SessionState.OPENING, SessionState.RECORDING, SessionState.SEALING, SessionState.ANCHORING)

_NOT_READ = "the sessions of earlier runs are not read yet"

_log = structlog.get_logger()


class SessionPipeline:
    """Implements the port Pipeline."""

    def __init__(self, line: Line, orphans: Orphans) -> None:
        self._line = line
        self._orphans = orphans
        self._tasks = Tasks("session-pipeline")
        self._workers: dict[str, Worker] = {}
        self._recovered = asyncio.Event()

    async def start(self) -> None:
        """Go on with every session of earlier runs, in the background: their stores may come up later."""
        self._tasks.spawn(self._recover(), name="recover")
        self._tasks.spawn(self._orphans.sweep_often(), name="orphans")

    async def stop(self) -> None:
        """Stop all workers where they are; a later start goes on from there."""
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: earlier sessions are known, no worker has failed, no opening is held up."""
        self._tasks.check()
        if not self._recovered.is_set():
            raise Unavailable(_NOT_READ)
        if self._line.openings.turns.blocked:
            raise Unavailable("an opening that failed is not in the log yet")

    async def open(self, *, grant: Grant) -> SessionOpened:
        limit_s = self._line.settings.open_limit_s
        try:
            async with asyncio.timeout(limit_s):
                await self._recovered.wait()
                if self._line.openings.turns.blocked:
                    raise Unavailable("an earlier session's opening is not in the log yet")
                draft = self._line.openings.draft(grant)
                try:
                    await self._line.openings.begin(draft)
                except BaseException:
                    self._abandon(draft.id)
                    raise
        except TimeoutError:
            raise Unavailable(f"the session's opening was not in the log within {limit_s:g} s") from None
        self._employ(draft.id)
        _log.info("session opened", session=draft.id, user=draft.user, host=draft.host)
        return SessionOpened(session=draft.id, opened=draft.opened)

    async def end(self, *, session: str, end: SessionEnd) -> None:
        try:
            async with asyncio.timeout(self._line.settings.open_limit_s):
                await self._recovered.wait()  # before that, a session of an earlier run has no worker to be told
        except TimeoutError:
            raise Unavailable(_NOT_READ) from None
        worker = self._workers.get(session)
        if worker is None:
            await self._line.store.get(session)
            return
        try:
            await self._line.recorder.close(session=session, end=end)
        except NotFound:
            _log.warning("no journal to close", session=session)
        except LucidError as error:
            _log.warning("end is told later", session=session, error=error.detail)
            worker.end = worker.end or end

    async def get(self, *, session: str) -> Session:
        held = await self._line.store.get(session)
        return held.record.public(await self._line.store.chunks(session))

    async def typed_text(
        self, *, session: str | None = None, after: str | None = None, newest_first: bool = False, limit: int = 50
    ) -> list[TypedText]:
        return await self._line.typed.find(session, after=after, newest_first=newest_first, limit=limit)

    async def forget_typed_text(self, *, session: str) -> list[str]:
        state = (await self._line.store.get(session)).record.state
        if state in UNFINISHED:
            raise Conflict(f"the session is {state}: more may be typed in it")
        forgotten = await self._line.typed.forget(session)
        _log.info("typed text forgotten", session=session, segments=len(forgotten))
        return forgotten

    async def list(self, *, after: str | None = None, state: str | None = None, limit: int = 50) -> list[Session]:
        states = () if state is None else (state,)
        found = await self._line.store.find(states, after=after, newest_first=True, limit=limit)
        return [record.public() for record in found]

    async def wait(self, *, session: str, wait_s: float) -> Session:
        return await self._line.store.wait_settled(session, wait_s)

    def _employ(self, session: str) -> None:
        if session not in self._workers:
            self._workers[session] = worker = Worker(self._line, session)
            task = self._tasks.spawn(worker.run(), name=session)
            task.add_done_callback(lambda _: self._workers.pop(session, None))

    def _abandon(self, session: str) -> None:
        """Complete in the background what was begun of an opening that failed."""
        self._line.openings.turns.abandon(session)
        self._employ(session)

    async def _recover(self) -> None:
        delay = self._line.settings.retry_first_s
        while not self._recovered.is_set():
            try:
                await self._resume_all()
                self._recovered.set()
            except LucidError as error:
                _log.warning("recovery waits", error=error.detail, retry_s=delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, self._line.settings.retry_limit_s)

    async def _resume_all(self) -> None:
        """A worker for each session that is not finished, and for each that still has a journal."""
        resumed: list[SessionRecord] = []
        while page := await self._line.store.find(UNFINISHED, after=resumed[-1].id if resumed else None):
            resumed += page
        for session in set(await self._line.recorder.recordings()) - {record.id for record in resumed}:
            try:
                resumed.append((await self._line.store.get(session)).record)
            except NotFound:
                _log.error("journal without a session", session=session)
        # All openings wait in line before the first worker moves: their order in the log is that of their numbers.
        for record in resumed:
            if record.state in (SessionState.OPENING, SessionState.FAILED):
                self._line.openings.turns.enter(record.id)
                self._line.openings.turns.abandon(record.id)
        for record in resumed:
            self._employ(record.id)
        _log.info("sessions resumed", sessions=len(resumed))
