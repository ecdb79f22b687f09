"""One session on its way from a begun opening to a proof."""

import asyncio
from dataclasses import dataclass

import structlog

from lucid.base.clock import Clock, parse_time
from lucid.base.errors import Corrupted, LucidError, NotFound
from lucid.model.canonical import NO_DIGEST
from lucid.model.chunk import ChunkRecord
from lucid.model.session import EndReason, SessionEnd, SessionState
from lucid.ports.log import Anchoring
from lucid.ports.recording import ClosedSegment, Processor, Recorder, SealJob
from lucid.recording.lifecycle import DETAIL_LENGTH, SessionRecord
from lucid.recording.manifest import CLOSING_MARGIN_S, build_manifest
from lucid.services.session_pipeline.opening import Openings
from lucid.services.session_pipeline.settings import SessionPipelineSettings
from lucid.services.session_pipeline.store import Held, SessionStore
from lucid.services.session_pipeline.typed_store import TypedStore

_log = structlog.get_logger()


@dataclass(frozen=True)
class Line:
    """What the workers of all sessions share."""

    settings: SessionPipelineSettings
    store: SessionStore
    typed: TypedStore
    openings: Openings
    recorder: Recorder
    processor: Processor
    anchoring: Anchoring
    clock: Clock


class Worker:
    """Takes steps until the session is proven or failed. A step that cannot be taken is repeated from what is
    stored; every step may be repeated, and each state is stored before the next one's first effect."""

    def __init__(self, line: Line, session: str) -> None:
        self._line = line
        self._session = session
        self._deadline: float | None = None
        self._held: Held | None = None
        self._chunks: list[ChunkRecord] | None = None
        self.end: SessionEnd | None = None  # an end that the recorder could not be told yet

    async def run(self) -> None:
        delay = self._line.settings.retry_first_s
        while True:
            try:
                while await self._advance():
                    delay = self._line.settings.retry_first_s
                return
            except LucidError as error:
                _log.warning("session waits", session=self._session, error=error.detail, retry_s=delay)
                self._held = self._chunks = None
                await self._show(error.detail)
                await asyncio.sleep(delay)
                delay = min(2 * delay, self._line.settings.retry_limit_s)

    async def _advance(self) -> bool:
        """One step; False when there is none left."""
        if self._held is None:
            try:
                self._held = await self._line.store.get(self._session)
            except NotFound:
                self._line.openings.forget(self._session)
                return False
        match self._record.state:
            case SessionState.OPENING | SessionState.FAILED:
                self._held = await self._line.openings.complete(self._held)
                return self._held is not None
            case SessionState.RECORDING | SessionState.SEALING:
                await self._seal_next()
            case SessionState.ANCHORING:
                await self._anchor()
            case SessionState.PROVEN:
                await self._line.recorder.release(session=self._session)
                return False
        return True

    @property
    def _record(self) -> SessionRecord:
        assert self._held is not None
        return self._held.record

    async def _save(self, record: SessionRecord) -> None:
        assert self._held is not None
        self._held = await self._line.store.replace(self._held, record)

    async def _seal_next(self) -> None:
        """Seal the next segment and learn whether the recording has ended. A segment's number is its chunk's
        index, since only the last segment of a recording may be without frames."""
        chunks = await self._stored_chunks()
        await self._close_overdue()
        try:
            status = await self._line.recorder.next_segment(
                session=self._session, after=len(chunks) - 1, wait_s=self._wait_s()
            )
            if status.end is not None and self._record.state is SessionState.RECORDING:
                await self._save(self._record.ended(status.end, self._line.clock.now()))
            if status.segment is not None:
                await self._seal(status.segment, chunks, last=status.ended)
        except (Corrupted, NotFound) as error:
            await self._corrupted(error.detail)
        else:
            if status.ended:
                await self._save(self._record.sealed(chunks))

    async def _seal(self, segment: ClosedSegment, chunks: list[ChunkRecord], *, last: bool) -> None:
        index = len(chunks)
        if segment.number != index:
            raise Corrupted(f"segment {index} is missing")
        await self._save(self._record.begin_sealing(chunks))
        assert self._record.sealing is not None
        typing = await self._line.typed.state(self._session, index) if self._record.rules.index_typed_text else None
        job = SealJob(
            session=self._session,
            segment=segment.number,
            complete=segment.complete,
            index=index,
            attempt=self._record.sealing.attempt,
            previous=chunks[-1].digest if chunks else NO_DIGEST,
            platform_key=self._record.begun.platform_key,
            typing=typing,
            last=last,
        )
        sealed = await self._line.processor.seal(job=job)
        if typing is not None:
            await self._line.typed.keep(self._record, index, typing, sealed)
        if sealed.chunk is not None:
            await self._line.store.add_chunk(self._session, sealed.chunk)
            chunks.append(sealed.chunk)
            await self._line.recorder.release_segment(session=self._session, number=segment.number)
        elif not last:
            raise Corrupted(f"segment {index} holds no frames, and more segments follow")

    async def _corrupted(self, detail: str) -> None:
        """The chunk list ends here. A recording that still goes on must not: it could not be sealed."""
        _log.error("journal damaged", session=self._session, error=detail)
        record = self._record.corrupted(detail, self._line.clock.now(), await self._stored_chunks())
        assert record.end is not None
        await self._close(record.end)
        await self._save(record)

    async def _anchor(self) -> None:
        chunks = await self._stored_chunks()
        if self._record.closed_index is None:
            manifest = await asyncio.to_thread(build_manifest, self._record, chunks)
            index = await self._line.anchoring.closed(manifest=manifest, chunks=chunks)
            await self._save(self._record.anchored(index, manifest.digest()))
        await self._line.anchoring.bundle(session=self._session, wait_s=self._line.settings.poll_s)
        await self._line.typed.finish(self._session)
        await self._save(self._record.proven())
        _log.info("session proven", session=self._session, chunks=len(chunks))

    async def _close_overdue(self) -> None:
        """Tell the recorder an end that it could not be told, or that nobody will tell: that of a session whose
        gateway is gone."""
        if self.end is None and self._record.state is SessionState.RECORDING and self._left_s() <= 0:
            detail = f"no end was reported by {self._record.closes_by}"
            self.end = SessionEnd(reason=EndReason.INTERRUPTED, detail=detail)
        if self.end is not None:
            await self._close(self.end)
            self.end = None

    async def _close(self, end: SessionEnd) -> None:
        try:
            await self._line.recorder.close(session=self._session, end=end)
        except NotFound:
            _log.warning("no journal to close", session=self._session)

    def _left_s(self) -> float:
        """Seconds until `closes_by`. The wall clock is read once: what it does later changes nothing."""
        now = self._line.clock.monotonic()
        if self._deadline is None:
            left = (parse_time(self._record.closes_by) - parse_time(self._line.clock.now())).total_seconds()
            self._deadline = now + min(max(left, 0.0), self._record.rules.total_limit_s + CLOSING_MARGIN_S)
        return self._deadline - now

    def _wait_s(self) -> float:
        return max(0.0, min(self._line.settings.poll_s, self._left_s()))

    async def _stored_chunks(self) -> list[ChunkRecord]:
        if self._chunks is None:
            self._chunks = await self._line.store.chunks(self._session)
        return self._chunks

    async def _show(self, why: str) -> None:
        """Let people see why the session waits, if the documents can be reached at all."""
        try:
            held = await self._line.store.get(self._session)
            if held.record.error != why[:DETAIL_LENGTH]:
                await self._line.store.replace(held, held.record.waiting(why))
        except LucidError as error:
            _log.warning("error not shown", session=self._session, error=error.detail)
