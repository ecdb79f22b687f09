"""One session's recording: its segments while they grow, and until they are released."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import structlog

from lucid.base.errors import InvalidInput, LucidError, NotFound, RecorderFailed
from lucid.base.tasks import Tasks
from lucid.model.frame import FrameSpan, scan_frames
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import ClosedSegment, RecordingStart, SegmentStatus
from lucid.recording.journal import RecordKind, SegmentWriter, record_bytes
from lucid.services.session_recorder.backlog import Backlog
from lucid.services.session_recorder.commit import GroupCommit
from lucid.services.session_recorder.files import Extent, JournalFiles, add_extent
from lucid.services.session_recorder.settings import SessionRecorderSettings

INLINE_BYTES = 1024 * 1024
"""Frames up to this size are encrypted in the event loop (some 150 microseconds; on a processor without AES
instructions up to ten milliseconds, for a session of over 50 Mbit/s), larger ones in a thread."""

MAX_APPEND_BYTES = 24 * 1024 * 1024
"""With segments of at most 32 MiB, a chunk's frames stay under the 64 MiB of docs/format.md section 3."""

_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _OpenSegment:
    number: int
    writer: SegmentWriter
    extents: list[Extent] = field(default_factory=list)
    frame_bytes: int = 0
    timer: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment that does not grow any more, and where its records are."""

    complete: bool
    extents: list[Extent]


@dataclass(slots=True, eq=False)
class _Record:
    """A record on its way to the disk (protocol commit.Record). A caller who is cancelled leaves it on its way."""

    recording: "Recording"
    segment: _OpenSegment
    kind: RecordKind
    data: bytes | memoryview
    submitted: float
    done: asyncio.Future[None]
    last_us: int = 0
    end: SessionEnd | None = None

    def durable(self, extent: Extent) -> bool:
        wanted = self.recording.written(self, extent)
        if not self.done.done():
            self.done.set_result(None)
        return wanted

    def failed(self, error: LucidError) -> None:
        self.recording.not_written(self, error)
        if not self.done.done():
            self.done.set_exception(RecorderFailed(error.detail))


@dataclass
class Recording:
    """With a data key it is live; without, it is one of an earlier run and has `end`.
    `end` is set once; whoever sets it has ended the recording. `heard` is the event loop's time of the last append."""

    session: str
    start: RecordingStart
    files: JournalFiles
    commit: GroupCommit
    settings: SessionRecorderSettings
    tasks: Tasks
    backlog: Backlog
    data_key: bytes | None = field(default=None, repr=False)
    closed: dict[int, Closed] = field(default_factory=dict)
    end: SessionEnd | None = None
    last_us: int = 0

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._segment: _OpenSegment | None = None
        self._next_number = 0
        self._on_its_way: _Record | None = None
        self._call: asyncio.Future[None] | None = None
        self.heard = self._loop.time()

    async def append(self, frames: bytes | memoryview) -> None:
        """As the port says. A caller that is cancelled does not cancel the write: half a record would be left."""
        self.heard = self._loop.time()
        if len(frames) <= INLINE_BYTES:
            await self._append(frames, scan_frames(frames))
            return
        if len(frames) > MAX_APPEND_BYTES:
            raise InvalidInput(f"frames: {len(frames)} bytes, at most {MAX_APPEND_BYTES} at once", field="frames")
        span = await asyncio.to_thread(scan_frames, frames)
        self._call = asyncio.ensure_future(self._append(frames, span))
        await asyncio.shield(self._call)

    async def _append(self, frames: bytes | memoryview, span: FrameSpan) -> None:
        if span.count == 0:
            self._check_running()
            return
        async with self._lock:
            await self._settled()
            self._check_running()
            if span.first_us < self.last_us:
                raise InvalidInput("frames: time goes back", field="frames")
            try:
                self.backlog.check()
            except LucidError as error:
                raise self._fail(error.detail) from error
            segment = self._segment or self._open_segment()
            if len(frames) <= INLINE_BYTES:
                place = self.commit.place(record_bytes(len(frames)))
                segment.writer.record_into(place, RecordKind.FRAMES, frames)
            else:
                place = memoryview(await asyncio.to_thread(segment.writer.record, RecordKind.FRAMES, frames))
            segment.frame_bytes += len(frames)
            await self._write(segment, RecordKind.FRAMES, place, last_us=span.last_us)
            if segment.frame_bytes >= self.settings.segment_bytes:
                await self._write_end(segment)

    def _check_running(self) -> None:
        if self.end is not None:
            raise RecorderFailed(f"the recording has ended: {self.end.reason}")

    def _open_segment(self) -> _OpenSegment:
        assert self.data_key is not None
        number, self._next_number = self._next_number, self._next_number + 1
        segment = self._segment = _OpenSegment(number, SegmentWriter(self.data_key, self.session, number))
        segment.timer = self.tasks.spawn(self._close_old(segment), name=f"segment-age {self.session}")
        return segment

    async def _settled(self) -> None:
        """Wait for the record of a caller who was cancelled: one is on disk before the next one is made."""
        while self._on_its_way is not None:
            await self._changed.wait()

    def _write(
        self,
        segment: _OpenSegment,
        kind: RecordKind,
        data: bytes | memoryview,
        *,
        last_us: int = 0,
        end: SessionEnd | None = None,
    ) -> asyncio.Future[None]:
        """Done when the record is on disk; raises RecorderFailed."""
        done = self._loop.create_future()
        record = _Record(self, segment, kind, data, self._loop.time(), done, last_us or self.last_us, end)
        self._on_its_way = record
        self.commit.submit(record)
        return done

    def _write_end(self, segment: _OpenSegment) -> asyncio.Future[None]:
        return self._write(segment, RecordKind.SEGMENT_END, segment.writer.record(RecordKind.SEGMENT_END, b""))

    def written(self, record: _Record, extent: Extent) -> bool:
        """A record is on disk; False when the recording had ended before."""
        self._settle(record)
        if self.end is not None:
            return False
        add_extent(record.segment.extents, extent)
        self.last_us = record.last_us
        if record.kind is not RecordKind.FRAMES:
            self._retire(record.segment, complete=True)
        if record.end is not None:
            self._set_end(record.end)
        return True

    def not_written(self, record: _Record, error: LucidError) -> None:
        """A record did not reach the disk. Without its end, a recording is still what it was."""
        self._settle(record)
        if record.kind is not RecordKind.SESSION_END:
            self._fail(error.detail)

    def _settle(self, record: _Record) -> None:
        self._on_its_way = None
        if record.done.cancelled():
            self._notify()

    async def _close_old(self, segment: _OpenSegment) -> None:
        """Close the segment when it has reached its age, also if nothing is appended any more."""
        await asyncio.sleep(self.settings.segment_s)
        segment.timer = None
        async with self._lock:
            await self._settled()
            if self._segment is segment and self.end is None:
                with contextlib.suppress(RecorderFailed):  # which has ended the recording, and is logged
                    await self._write_end(segment)

    def _retire(self, segment: _OpenSegment, *, complete: bool) -> None:
        if segment.timer is not None:
            segment.timer.cancel()
        self._segment = None
        self.closed[segment.number] = Closed(complete, segment.extents)
        self._notify()

    def _fail(self, why: str) -> RecorderFailed:
        """End the recording as failed, unless it has ended already."""
        if self.end is None:
            _log.error("recording failed", session=self.session, error=why)
            self._set_end(SessionEnd(reason=EndReason.RECORDER_FAILED, detail=why[:500]))
        return RecorderFailed(why)

    def _set_end(self, end: SessionEnd) -> None:
        self.end = end
        self.data_key = None
        if self._segment is not None:
            self._retire(self._segment, complete=False)
        self._notify()

    async def close(self, end: SessionEnd) -> None:
        """As the port says. When the end cannot be written, it is remembered as long as the process lives."""
        self._call = asyncio.ensure_future(self._close(end))
        await asyncio.shield(self._call)

    async def _close(self, end: SessionEnd) -> None:
        async with self._lock:
            await self._settled()
            if self.end is not None:
                return
            segment = self._segment or self._open_segment()
            data = segment.writer.record(RecordKind.SESSION_END, end.reason.encode())
            try:
                await self._write(segment, RecordKind.SESSION_END, data, end=end)
            except RecorderFailed as error:
                _log.warning("end not written", session=self.session, error=error.detail)
                self._set_end(end)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def next_segment(self, after: int, wait_s: float) -> SegmentStatus:
        """As the port says."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while self.end is None and not any(number > after for number in self.closed):
                    await self._changed.wait()
        later = sorted(number for number in self.closed if number > after)
        segment = ClosedSegment(number=later[0], complete=self.closed[later[0]].complete) if later else None
        ended = self.end is not None and len(later) <= 1
        return SegmentStatus(segment=segment, ended=ended, end=self.end, last_us=self.last_us)

    async def read_segment(self, number: int, memory: memoryview | None) -> bytes | memoryview:
        """As the port says."""
        if number not in self.closed:
            raise NotFound(f"session {self.session} has no closed segment {number}")
        extents = self.closed[number].extents
        return await (self.files.read(extents) if memory is None else self.files.read_into(extents, memory))

    async def release_segment(self, number: int) -> None:
        """As the port says."""
        if (segment := self.closed.pop(number, None)) is not None:
            self.files.drop(segment.extents)
        await self.files.sweep()  # also what a call that failed has left
