"""The recorder: numbering, wrapped keys, and one Recording a session."""

import asyncio

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import Conflict, Corrupted, InvalidInput, LucidError, NotFound
from lucid.base.tasks import Tasks
from lucid.crypto import aead, age
from lucid.model.manifest import WrappedKey
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import RecordingStart, SegmentStatus
from lucid.ports.stores import Folder
from lucid.services.session_recorder.backlog import Backlog
from lucid.services.session_recorder.commit import GroupCommit
from lucid.services.session_recorder.files import JournalFiles
from lucid.services.session_recorder.recording import Recording
from lucid.services.session_recorder.recovery import find_journals
from lucid.services.session_recorder.settings import SessionRecorderSettings
from lucid.services.session_recorder.state import (
    STATE_PATH,
    JournalHead,
    RecorderState,
    journal_path,
    load_state,
    read_head,
    save_state,
    write_head,
)

_log = structlog.get_logger()

_SHUT_DOWN = SessionEnd(reason=EndReason.INTERRUPTED, detail="the recorder was shut down")


class SessionRecorder:
    """Implements the port Recorder."""

    def __init__(self, settings: SessionRecorderSettings, *, folder: Folder, clock: Clock) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._tasks = Tasks("session-recorder")
        self._backlog = Backlog(settings.journal_limit_bytes)
        self._files = JournalFiles(folder, self._tasks, self._backlog, file_s=settings.segment_s)
        self._commit = GroupCommit(self._files, self._tasks, limit_s=settings.durable_limit_s)
        self._recordings: dict[str, Recording] = {}
        self._state: RecorderState | None = None
        self._numbering = asyncio.Lock()
        self._beginning: asyncio.Future[RecordingStart] | None = None
        self._platform_recipient = age.recipient_of(settings.platform_identity)

    async def start(self) -> None:
        """Own the folder and find the recordings of earlier runs. Raises Conflict when another recorder runs
        on it, InvalidInput when a configured recipient is none."""
        try:
            await self._folder.lock()
        except Conflict as error:
            raise Conflict(f"another recorder is running on this data folder: {error.detail}") from None
        await asyncio.to_thread(self._wrap, aead.new_key(), True)
        async with self._numbering:
            state = await self._reload()
        found = await find_journals(self._folder, self._files, self._settings.platform_identity)
        for journal in found:
            if journal.head.start.recorder.sequence > state.sequence:
                raise Corrupted(f"{STATE_PATH} is older than the journal of session {journal.head.session}")
            recording = self._recording(journal.head)
            recording.closed, recording.end, recording.last_us = journal.closed, journal.end, journal.last_us
        await self._files.sweep()
        self._tasks.spawn(self._end_silent(), name="silence")
        _log.info("recorder ready", recorder=state.recorder, sequence=state.sequence, found=len(found))

    async def stop(self) -> None:
        """End the recordings that still run, and release all files."""
        running = [recording for recording in self._recordings.values() if recording.end is None]
        await asyncio.gather(*(recording.close(_SHUT_DOWN) for recording in running))
        await self._tasks.close()

    async def _end_silent(self) -> None:
        """End the recordings whose gateway is gone: one that lives appends every few seconds, if only nothing."""
        limit_s = self._settings.silence_limit_s
        end = SessionEnd(reason=EndReason.INTERRUPTED, detail=f"nothing was heard of the session for {limit_s:g} s")
        while True:
            await asyncio.sleep(limit_s / 10)
            before = asyncio.get_running_loop().time() - limit_s
            silent = [found for found in self._recordings.values() if found.end is None and found.heard < before]
            for recording in silent:
                _log.warning("recording is silent", session=recording.session)
            await asyncio.gather(*(recording.close(end) for recording in silent))

    async def check(self) -> None:
        """Readiness: the state on disk is known, no background task has failed, there is room for frames."""
        self._tasks.check()
        self._backlog.check()
        async with self._numbering:
            await self._known_state()

    async def open(self, *, session: str, playback: bool) -> RecordingStart:
        self._backlog.check()
        if playback and not self._settings.playback_recipient:
            raise InvalidInput(
                "the policy allows playback, but the recorder has no playback recipient", field="playback"
            )
        data_key = aead.new_key()
        platform_key, keys = await asyncio.to_thread(self._wrap, data_key, playback)
        # A caller that is cancelled does not cancel this: a write that goes on in its thread could overtake the next.
        self._beginning = asyncio.ensure_future(self._begin(session, data_key, platform_key, keys))
        return await asyncio.shield(self._beginning)

    async def _begin(
        self, session: str, data_key: bytes, platform_key: WrappedKey, keys: tuple[WrappedKey, ...]
    ) -> RecordingStart:
        async with self._numbering:
            state = await self._known_state()
            if session in self._recordings:
                raise Conflict(f"session {session} is being recorded already")
            number = state.next_number()
            start = RecordingStart(recorder=number, platform_key=platform_key, keys=keys)
            head = JournalHead(session=session, started=self._clock.now(), start=start)
            # Until both writes are done, what is on disk is not known here; a failure has it read again.
            self._state = None
            state = RecorderState(recorder=state.recorder, sequence=number.sequence, last=head)
            await save_state(self._folder, state)
            await write_head(self._folder, head)
            self._state = state
            self._recording(head).data_key = data_key
        _log.info("recording begun", session=session, sequence=number.sequence)
        return start

    async def append(self, *, session: str, frames: bytes | memoryview) -> None:
        await self._get(session).append(frames)

    async def close(self, *, session: str, end: SessionEnd) -> None:
        recording = self._get(session)
        await recording.close(end)
        _log.info("recording ended", session=session, end=recording.end and recording.end.reason)

    async def next_segment(self, *, session: str, after: int, wait_s: float) -> SegmentStatus:
        return await self._get(session).next_segment(after, wait_s)

    async def read_segment(self, *, session: str, number: int, memory: memoryview | None = None) -> bytes | memoryview:
        return await self._get(session).read_segment(number, memory)

    async def release_segment(self, *, session: str, number: int) -> None:
        if session in self._recordings:
            await self._recordings[session].release_segment(number)

    async def release(self, *, session: str) -> None:
        recording = self._recordings.get(session)
        if recording is None:
            return
        if recording.end is None:
            raise Conflict(f"session {session} is still being recorded")
        # Segments go first: on a full disk, nothing can be written before something is deleted.
        for number in list(recording.closed):
            await recording.release_segment(number)
        async with self._numbering:
            state = await self._known_state()
            if state.last is not None and state.last.session == session:
                state = state.model_copy(update={"last": None})
                await save_state(self._folder, state)
                self._state = state
        # The head goes last: without it, what is left could not be told from a damaged journal.
        await self._folder.delete(journal_path(session))
        self._recordings.pop(session, None)
        _log.info("recording released", session=session)

    async def recordings(self) -> list[str]:
        async with self._numbering:
            await self._known_state()
        return sorted(self._recordings)

    async def start_of(self, *, session: str) -> RecordingStart:
        # Behind an open() that is under way, and with a number used up by one that failed.
        async with self._numbering:
            await self._known_state()
        return self._get(session).start

    def _get(self, session: str) -> Recording:
        try:
            return self._recordings[session]
        except KeyError:
            raise NotFound(f"no recording of session {session}") from None

    def _recording(self, head: JournalHead) -> Recording:
        recording = self._recordings[head.session] = Recording(
            head.session, head.start, self._files, self._commit, self._settings, self._tasks, self._backlog
        )
        return recording

    async def _known_state(self) -> RecorderState:
        """The state, read again after a write that failed: it may have reached the disk."""
        return self._state or await self._reload()

    async def _reload(self) -> RecorderState:
        state = await load_state(self._folder, self._settings.recorder)
        head = state.last
        if head is not None and head.session not in self._recordings:
            try:
                await read_head(self._folder, head.session)
            except LucidError:
                _log.warning("journal restored", session=head.session, sequence=state.sequence)
                await write_head(self._folder, head)
            end = SessionEnd(reason=EndReason.INTERRUPTED, detail="the recorder stopped before the first frame")
            self._recording(head).end = end
        self._state = state
        return state

    def _wrap(self, data_key: bytes, playback: bool) -> tuple[WrappedKey, tuple[WrappedKey, ...]]:
        settings = self._settings
        player = {settings.playback_recipient} - {""} if playback else set()
        recipients = dict.fromkeys((*settings.recipients, *player))
        return _wrapped(data_key, self._platform_recipient), tuple(_wrapped(data_key, to) for to in recipients)


def _wrapped(data_key: bytes, recipient: str) -> WrappedKey:
    return WrappedKey(recipient=recipient, wrapped=age.wrap(data_key, recipient))
