"""Opening a session: a number from the recorder, the policy's body, the opening in the log."""

from lucid.base.clock import Clock, Stamps
from lucid.base.errors import NotFound
from lucid.base.ids import new_session_id
from lucid.model.host import Grant
from lucid.model.session import EndReason, SessionEnd, SessionState
from lucid.ports.log import Anchoring, DataChain
from lucid.ports.recording import Recorder, RecordingStart
from lucid.recording.lifecycle import SessionRecord
from lucid.recording.manifest import closing_time, opening_statement
from lucid.services.session_pipeline.store import Held, SessionStore
from lucid.services.session_pipeline.turns import Turns

NOT_OPENED = SessionEnd(reason=EndReason.INTERRUPTED, detail="the session's opening was not completed")


class Openings:
    """Begins sessions, and completes openings that were begun and broken off."""

    def __init__(
        self, *, store: SessionStore, recorder: Recorder, anchoring: Anchoring, data_chain: DataChain, clock: Clock
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._anchoring = anchoring
        self._data_chain = data_chain
        self._stamps = Stamps(clock)
        self.turns = Turns()

    def draft(self, grant: Grant) -> SessionRecord:
        """A new session's record, stored nowhere yet."""
        opened = self._stamps.next()
        return SessionRecord(
            id=new_session_id(),
            user=grant.user,
            host=grant.host,
            policy=grant.policy.digest(),
            rules=grant.policy,
            state=SessionState.OPENING,
            opened=opened,
            closes_by=closing_time(opened, grant.policy),
        )

    async def begin(self, record: SessionRecord) -> Held:
        """From a draft to a session that is being recorded."""
        self.turns.enter(record.id)
        held = await self._store.insert(record)
        start = await self._recorder.open(session=record.id, playback=record.rules.playback)
        return await self._anchor(held, start)

    async def complete(self, held: Held) -> Held | None:
        """Go on with an opening that was broken off. Its user is gone: the recording ends, and is anchored as
        any other. Without a number there is nothing to anchor: the session has failed, and None says that it
        is known to have failed."""
        session = held.record.id
        self.turns.enter(session)
        try:
            start = await self._recorder.start_of(session=session)
        except NotFound:
            if held.record.state is not SessionState.FAILED:
                return await self._store.replace(held, held.record.failed("no recording was begun"))
            self.turns.leave(session)
            return None
        await self._recorder.close(session=session, end=NOT_OPENED)
        return await self._anchor(held, start)

    def forget(self, session: str) -> None:
        """There is no such session: its opening failed before it was stored."""
        self.turns.leave(session)

    async def _anchor(self, held: Held, start: RecordingStart) -> Held:
        session = held.record.id
        self.turns.number(session, start.recorder.sequence)
        if held.record.start is None:
            held = await self._store.replace(held, held.record.numbered(start))
        await self._data_chain.put(body=held.record.rules.to_bytes())
        await self.turns.wait(session)
        index = await self._anchoring.opened(statement=opening_statement(held.record))
        held = await self._store.replace(held, held.record.recording(index))
        self.turns.leave(session)
        return held
