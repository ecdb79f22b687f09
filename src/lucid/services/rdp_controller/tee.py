"""From relayed bytes to durable frames: collects frames and hands them to the recorder in time."""

import asyncio
import itertools
import time
from collections.abc import Callable

from lucid.base.errors import LucidError
from lucid.base.ids import SessionId
from lucid.model.canonical import canonical_json
from lucid.model.frame import HEAD_BYTES, Direction, frame_head
from lucid.ports.recording import Recorder
from lucid.services.rdp_controller.settings import RdpControllerSettings

PHASES = 2
"""Moments within a flush interval, over which sessions are spread. One moment would take the least CPU, but 20
sessions at once hold up the event loop for 2.5 milliseconds."""

_numbers = itertools.count()


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
        recorder: Recorder,
        session: SessionId,
        full: Callable[[bool], None],
        failed: Callable[[str], None],
    ) -> None:
        self._recorder = recorder
        self._session = session
        self._full = full
        self._failed = failed
        self._flush_s = settings.flush_ms / 1000
        self._phase_s = self._flush_s * (next(_numbers) % PHASES) / PHASES
        self._flush_bytes = settings.flush_bytes
        self._buffer_bytes = settings.tee_buffer_bytes
        self._heartbeat_s = settings.heartbeat_s
        self._append_limit_s = settings.append_limit_s
        self._loop = asyncio.get_running_loop()
        self._began_ns = time.monotonic_ns()
        self._parts: list[bytes] = []
        self._collected = 0
        self._in_flight = 0
        self._is_full = False
        self._closing = False
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, width: int, height: int) -> None:
        """The first frame: what desktop was asked for."""
        event = {"event": "start", "height": height, "protocol": "rdp", "width": width}
        self.add(Direction.EVENT, canonical_json(event))

    def add(self, direction: Direction, data: bytes) -> None:
        """Record `data` as a frame of this moment."""
        time_us = (time.monotonic_ns() - self._began_ns) // 1000
        if not self._parts:
            # Sessions flush at the same moments, so that the recorder makes their frames durable together.
            past_s = (self._loop.time() - self._phase_s) % self._flush_s
            self._wake_at(self._loop.time() - past_s + self._flush_s)
        self._parts += (frame_head(time_us, direction, len(data)), data)
        self._collected += HEAD_BYTES + len(data)
        if self._collected >= self._flush_bytes:
            self._due.set()
            self._check_full()

    async def run(self) -> None:
        """Hand frames on, one call at a time, until `finish` or a failure. While there are none, tell the recorder so:
        it ends a recording that it hears nothing of, and a session whose recording has ended must not go on."""
        while not self._closing or self._parts:
            if not self._parts:
                self._wake_at(self._loop.time() + self._heartbeat_s)
            await self._due.wait()
            self._due.clear()
            frames = self._take()
            if (frames or not self._closing) and not await self._append(frames):
                break
        if self._timer is not None:
            self._timer.cancel()

    def finish(self) -> None:
        """No frame follows: `run` returns when what is collected is durable."""
        self._closing = True
        self._due.set()

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._due.set)

    def _take(self) -> bytes:
        frames = b"".join(self._parts)
        self._parts.clear()
        self._in_flight, self._collected = self._collected, 0
        return frames

    async def _append(self, frames: bytes) -> bool:
        try:
            async with asyncio.timeout(self._append_limit_s):
                await self._recorder.append(session=self._session, frames=frames)
        except TimeoutError:
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
