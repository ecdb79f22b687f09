"""One session's journal while it grows, and until it is released."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import structlog

from lucid.base.errors import InvalidInput, LucidError, NotFound, RecorderFailed
from lucid.base.tasks import Tasks
from lucid.model.frame import FrameSpan, scan_frames
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import ClosedSegment, RecordingStart, SegmentStatus
from lucid.ports.stores import AppendFile, Folder
from lucid.recording.journal import RecordKind, SegmentWriter
from lucid.services.session_recorder.backlog import Backlog
from lucid.services.session_recorder.settings import SessionRecorderSettings
from lucid.services.session_recorder.state import segment_path

INLINE_BYTES = 256 * 1024
"""Frames up to this size are encrypted in the event loop (about 70 microseconds, less than waking a thread costs; a
few milliseconds on a processor without AES instructions), larger ones in a thread."""

MAX_APPEND_BYTES = 24 * 1024 * 1024
"""With segments of at most 32 MiB, a chunk's frames stay under the 64 MiB of docs/format.md section 3."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _OpenSegment:
    number: int
    writer: SegmentWriter
    file: AppendFile
    frame_bytes: int = 0
    size: int = 0
    timer: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment that does not grow any more. `size` counts against the backlog."""

    complete: bool
    size: int


@dataclass
class Recording:
    """A journal. With a data key it is live; without, it is one of an earlier run and has `end`.
    `end` is set once; whoever sets it has ended the recording. `heard` is the event loop's time of the last append."""

    session: str
    start: RecordingStart
    folder: Folder
    settings: SessionRecorderSettings
    tasks: Tasks
    backlog: Backlog
    data_key: bytes | None = field(default=None, repr=False)
    closed: dict[int, Closed] = field(default_factory=dict)
    end: SessionEnd | None = None
    last_us: int = 0

    def __post_init__(self) -> None:
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._segment: _OpenSegment | None = None
        self._next_number = 0
        self._call: asyncio.Future[None] | None = None
        self.heard = asyncio.get_running_loop().time()

    async def append(self, frames: bytes) -> None:
        """As the port says. A caller that is cancelled does not cancel the write: half a record would be left."""
        self._call = asyncio.ensure_future(self._append(frames))
        await asyncio.shield(self._call)

    async def _append(self, frames: bytes) -> None:
        if len(frames) > MAX_APPEND_BYTES:
            raise InvalidInput(f"frames: {len(frames)} bytes, at most {MAX_APPEND_BYTES} at once", field="frames")
        span = scan_frames(frames) if len(frames) <= INLINE_BYTES else await asyncio.to_thread(scan_frames, frames)
        self.heard = asyncio.get_running_loop().time()
        if span.count == 0:
            self._check_running()
            return
        if span.first_us < self.last_us:
            raise InvalidInput("frames: time goes back", field="frames")
        try:
            async with asyncio.timeout(self.settings.durable_limit_s), self._lock:
                await self._write_frames(frames, span)
        except TimeoutError:
            raise self._fail(f"not on disk within {self.settings.durable_limit_s:g} s") from None
        except LucidError as error:
            raise self._fail(error.detail) from error

    async def _write_frames(self, frames: bytes, span: FrameSpan) -> None:
        self._check_running()
        self.backlog.check()
        segment = self._segment or await self._open_segment()
        if len(frames) <= INLINE_BYTES:
            record = segment.writer.record(RecordKind.FRAMES, frames)
        else:
            record = await asyncio.to_thread(segment.writer.record, RecordKind.FRAMES, frames)
        await self._write(segment, record)
        if self.end is not None:
            raise RecorderFailed(self.end.detail)
        self.last_us = span.last_us
        segment.frame_bytes += len(frames)
        if segment.frame_bytes >= self.settings.segment_bytes:
            await self._close_segment(segment, RecordKind.SEGMENT_END)

    def _check_running(self) -> None:
        if self.end is not None:
            raise RecorderFailed(f"the recording has ended: {self.end.reason}")

    async def _open_segment(self) -> _OpenSegment:
        assert self.data_key is not None
        number, self._next_number = self._next_number, self._next_number + 1
        writer = SegmentWriter(self.data_key, self.session, number)
        segment = _OpenSegment(number, writer, await self.folder.open_append(segment_path(self.session, number)))
        segment.timer = self.tasks.spawn(self._close_old(segment), name=f"segment-age {self.session}")
        self._segment = segment
        return segment

    async def _write(self, segment: _OpenSegment, record: bytes) -> None:
        self.backlog.add(len(record))
        segment.size += len(record)
        await segment.file.append(record)

    async def _close_segment(self, segment: _OpenSegment, kind: RecordKind, reason: str = "") -> None:
        await self._write(segment, segment.writer.record(kind, reason.encode()))
        if self._segment is segment:
            self._retire(segment, complete=True)

    async def _close_old(self, segment: _OpenSegment) -> None:
        """Close the segment when it has reached its age, also if nothing is appended any more."""
        await asyncio.sleep(self.settings.segment_s)
        segment.timer = None
        try:
            async with asyncio.timeout(self.settings.durable_limit_s), self._lock:
                if self._segment is segment and self.end is None:
                    await self._close_segment(segment, RecordKind.SEGMENT_END)
        except TimeoutError:
            self._fail(f"not on disk within {self.settings.durable_limit_s:g} s")
        except LucidError as error:
            self._fail(error.detail)

    def _retire(self, segment: _OpenSegment, *, complete: bool) -> None:
        if segment.timer is not None and segment.timer is not asyncio.current_task():
            segment.timer.cancel()
        self.closed[segment.number] = Closed(complete, segment.size)
        self._segment = None
        self.tasks.spawn(self._close_file(segment), name=f"close {self.session}")
        self._notify()

    async def _close_file(self, segment: _OpenSegment) -> None:
        """Behind the caller's back: after a write that hangs, closing hangs too."""
        try:
            await segment.file.close()
        except LucidError as error:
            _log.warning("segment not closed", session=self.session, segment=segment.number, error=error.detail)

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
        try:
            async with asyncio.timeout(self.settings.durable_limit_s), self._lock:
                if self.end is None:
                    segment = self._segment or await self._open_segment()
                    await self._close_segment(segment, RecordKind.SESSION_END, end.reason)
        except TimeoutError:
            _log.warning("end not written", session=self.session, error="the disk does not answer")
        except LucidError as error:
            _log.warning("end not written", session=self.session, error=error.detail)
        if self.end is None:
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

    async def read_segment(self, number: int) -> bytes:
        """As the port says."""
        if number not in self.closed:
            raise NotFound(f"session {self.session} has no closed segment {number}")
        return await self.folder.read(segment_path(self.session, number))

    async def release_segment(self, number: int) -> None:
        """As the port says."""
        segment = self.closed.get(number)
        if segment is not None:
            await self.folder.delete(segment_path(self.session, number))
            # Taken out only now, so that a failure can be repeated.
            if self.closed.pop(number, None) is not None:
                self.backlog.remove(segment.size)
