"""What the tests of the recorder share: frames, a recorder on a real disk, and disks that misbehave."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lucid.base.clock import SystemClock
from lucid.base.errors import StorageFull
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.frame import Direction, Frame, decode_frames, encode_frames
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import Recorder
from lucid.ports.stores import AppendFile, Folder
from lucid.recording.journal import open_segment
from lucid.services.session_recorder.service import SessionRecorder
from lucid.services.session_recorder.settings import SessionRecorderSettings

PLATFORM = age.new_identity()
OWNER = age.new_identity()
CLOSED = SessionEnd(reason=EndReason.CLIENT_CLOSED)


def frames(first: int = 0, count: int = 1, size: int = 100) -> bytes:
    """`count` encoded frames, one a millisecond, whose data begins with their number."""
    return encode_frames(
        Frame(1000 * n, Direction.SERVER_TO_CLIENT, n.to_bytes(8, "big").ljust(size, b"."))
        for n in range(first, first + count)
    )


def recorder_settings(**changes: Any) -> SessionRecorderSettings:
    values = {"platform_identity": PLATFORM, "recipients": (age.recipient_of(OWNER),), **changes}
    return SessionRecorderSettings(**values)


async def started(folder: Folder | Path, **changes: Any) -> SessionRecorder:
    """A recorder that runs; a Path stands for a folder on disk."""
    port = DiskFolder(folder) if isinstance(folder, Path) else folder
    recorder = SessionRecorder(recorder_settings(**changes), folder=port, clock=SystemClock())
    await recorder.start()
    return recorder


def contents(root: Path) -> dict[str, bytes]:
    """Every file below `root`, by its name."""
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def read_recording(recorder: Recorder, session: str, identity: Secret = PLATFORM) -> list[bytes]:
    """The frames of a recording that has ended, each encoded."""
    start = await recorder.start_of(session=session)
    data_key = age.unwrap(start.platform_key.wrapped, identity)
    after, found = -1, []
    while True:
        status = await recorder.next_segment(session=session, after=after, wait_s=5)
        if status.segment is not None:
            after = status.segment.number
            data = await recorder.read_segment(session=session, number=after)
            opened = open_segment(data_key, session, after, data)
            assert status.segment.complete == (opened.closed is not None)
            found += [encode_frames([frame]) for frame in decode_frames(bytes(opened.frames))]
        if status.ended:
            return found
        assert status.segment is not None, "the recording has not ended"


class _File:
    def __init__(self, inner: AppendFile, disk: "FaultyFolder") -> None:
        self._inner = inner
        self._disk = disk

    async def append(self, *parts: bytes | memoryview) -> None:
        self._disk.maybe_full()
        if self._disk.delay_s:
            await asyncio.to_thread(time.sleep, self._disk.delay_s)
        await self._inner.append(*parts)

    async def close(self) -> None:
        await self._inner.close()


class FaultyFolder:
    """A folder on a disk that can be full, or slow."""

    def __init__(self, root: Path) -> None:
        self._inner = DiskFolder(root)
        self.full = False
        self.delay_s = 0.0
        self.lock: Callable[[], Any] = self._inner.lock
        self.read: Callable[[str], Any] = self._inner.read
        self.read_ranges: Callable[..., Any] = self._inner.read_ranges
        self.read_into: Callable[..., Any] = self._inner.read_into
        self.list: Callable[..., Any] = self._inner.list
        self.delete: Callable[[str], Any] = self._inner.delete

    def maybe_full(self) -> None:
        if self.full:
            raise StorageFull("No space left on device")

    async def write(self, files: Mapping[str, bytes]) -> None:
        self.maybe_full()
        await self._inner.write(files)

    async def open_append(self, path: str) -> AppendFile:
        self.maybe_full()
        return _File(await self._inner.open_append(path), self)

    async def release(self) -> None:
        await self._inner.release()
