"""From relayed bytes to durable frames: collects frames and hands them to the recorder in time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from lucid.base.errors import LucidError
from lucid.base.ids import SessionId
from lucid.model.canonical import canonical_json
from lucid.model.frame import HEAD_BYTES, Direction, put_frame_head
from lucid.ports.recording import Recorder
from lucid.services.rdp_controller.settings import RdpControllerSettings

_BUFFER_BYTES = 256 * 1024

_ROOM_BYTES = 64 * 1024
"""Room there is for the data of the next frame at least."""


class FlushClock:
    """Tells all tees of the process when to hand their frames on: at the same moments, so that the recorder makes
    the frames of all sessions durable together, and with one timer. It runs while there is a tee."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._ticks: set[Callable[[float], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def calling(self, tick: Callable[[float], None]) -> Iterator[None]:
        """Call `tick` with the event loop's time at every moment, while in the context."""
        self._ticks.add(tick)
        if self._timer is None:
            self._wait(asyncio.get_running_loop())
        try:
            yield
        finally:
            self._ticks.discard(tick)
            if not self._ticks and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._interval_s, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wait(loop)
        now = loop.time()
        for tick in tuple(self._ticks):
            tick(now)


class Tee:
    """The frames of one session. Time zero is when it is made.

    `full` is called with True when more is collected than the recorder keeps up with, with False when it has
    caught up; `failed` with the reason when frames could not be made durable in time: nothing more is
    recorded then.
    """

    def __init__(
        self,
        settings: RdpControllerSettings,
        *,
        clock: FlushClock,
        recorder: Recorder,
        session: SessionId,
        full: Callable[[bool], None],
        failed: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._recorder = recorder
        self._session = session
        self._full = full
        self._failed = failed
        self._flush_bytes = settings.flush_bytes
        self._buffer_bytes = settings.tee_buffer_bytes
        self._heartbeat_s = settings.heartbeat_s
        self._append_limit_s = settings.append_limit_s
        self._loop = asyncio.get_running_loop()
        self._began_ns = time.monotonic_ns()
        # Memory that is used again and again, which is several times faster than fresh memory.
        # A view, because assigning to a slice of a bytearray makes a copy of its own first.
        self._frames = memoryview(bytearray(_BUFFER_BYTES))
        self._other = memoryview(bytearray(_BUFFER_BYTES))
        self._collected = 0
        self._in_flight = 0
        self._is_full = False
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._due: asyncio.Future[None] | None = None
        self._handed_on = self._loop.time()
        self._is_late = False

    def start(self, width: int, height: int) -> None:
        """The first frame: what desktop was asked for."""
        event = {"event": "start", "height": height, "protocol": "rdp", "width": width}
        self.add(Direction.EVENT, canonical_json(event))

    def add(self, direction: Direction, data: bytes) -> None:
        """Record `data` as a frame of this moment."""
        self.room(len(data))[: len(data)] = data
        self.keep(direction, len(data))

    def room(self, size: int = _ROOM_BYTES) -> memoryview:
        """Where the data of the next frame will be, at least `size` bytes: what is put there need not be copied."""
        start = self._collected + HEAD_BYTES
        if start + size > len(self._frames):
            larger = memoryview(bytearray(2 * (start + size)))
            larger[: self._collected] = self._frames[: self._collected]
            self._frames = larger
        return self._frames[start:]

    def keep(self, direction: Direction, size: int) -> None:
        """Record the first `size` bytes of the room as a frame of this moment."""
        time_us = (time.monotonic_ns() - self._began_ns) // 1000
        put_frame_head(self._frames, self._collected, time_us, direction, size)
        self._collected += HEAD_BYTES + size
        if self._collected >= self._flush_bytes:
            self._hand_on()
            self._check_full()

    async def run(self) -> None:
        """Hand frames on, one call at a time, until `finish` or a failure. While there are none, tell the recorder so:
        it ends a recording that it hears nothing of, and a session whose recording has ended must not go on."""
        self._task = asyncio.current_task()
        with self._clock.calling(self._tick):
            while not self._closing or self._collected:
                if not self._closing and self._collected < self._flush_bytes:
                    self._due = self._loop.create_future()
                    await self._due
                frames = self._take()
                if (frames or not self._closing) and not await self._append(frames):
                    break

    def finish(self) -> None:
        """No frame follows: `run` returns when what is collected is durable."""
        self._closing = True
        self._hand_on()

    def _tick(self, now: float) -> None:
        if self._due is not None:
            if self._collected or now - self._handed_on >= self._heartbeat_s:
                self._hand_on()
        elif now - self._handed_on >= self._append_limit_s and self._task is not None:
            self._is_late = True
            self._task.cancel()

    def _hand_on(self) -> None:
        if self._due is not None:
            self._due.set_result(None)
            self._due = None
            self._handed_on = self._loop.time()

    def _take(self) -> memoryview:
        """What is collected, in memory that is left alone until it has been appended."""
        frames = self._frames[: self._collected]
        self._frames, self._other = self._other, self._frames
        self._in_flight, self._collected = self._collected, 0
        return frames

    async def _append(self, frames: memoryview) -> bool:
        self._handed_on = self._loop.time()
        try:
            await self._recorder.append(session=self._session, frames=frames)
        except asyncio.CancelledError:
            if not self._is_late or self._task is None or self._task.uncancel():
                raise
            self._failed(f"frames were not durable within {self._append_limit_s:g} s")
            return False
        except LucidError as error:
            self._failed(error.detail)
            return False
        self._in_flight = 0
        self._check_full()
        return True

    def _check_full(self) -> None:
        waiting = self._collected + self._in_flight
        if not self._is_full and waiting > self._buffer_bytes:
            self._is_full = True
            self._full(True)
        elif self._is_full and waiting < self._buffer_bytes // 2:
            self._is_full = False
            self._full(False)
