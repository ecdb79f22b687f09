"""The recording path on real disks, and a log that only remembers what it was told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lucid.base.clock import Clock, SystemClock, format_time, parse_time, shift_time
from lucid.base.errors import Conflict, NotFound, Unavailable
from lucid.crypto import age
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.drivers.disk.folder import DiskFolder
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.canonical import digest_of
from lucid.model.chunk import ChunkRecord
from lucid.model.frame import Direction, Frame, encode_frames
from lucid.model.host import Grant
from lucid.model.manifest import Manifest, OpeningStatement
from lucid.model.policy import Policy
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.log import Anchoring, DataChain
from lucid.ports.recording import Pipeline, Processor, Recorder, Storage
from lucid.ports.service import App, Ports
from lucid.ports.stores import Blobs, Bus, Documents, Folder, Json
from lucid.services.session_pipeline.app import create as create_pipeline
from lucid.services.session_pipeline.settings import SessionPipelineSettings
from lucid.services.session_processor.app import create as create_processor
from lucid.services.session_processor.settings import SessionProcessorSettings
from lucid.services.session_recorder.app import create as create_recorder
from lucid.services.session_recorder.settings import SessionRecorderSettings
from lucid.services.session_storage.app import create as create_storage
from lucid.services.session_storage.settings import SessionStorageSettings

T = TypeVar("T")

PLATFORM = age.new_identity()
OWNER = age.new_identity()
POLICY = Policy(total_limit_s=3600)
GRANT = Grant(user="admin", host="demo", policy=POLICY)
CLOSED = SessionEnd(reason=EndReason.CLIENT_CLOSED)


def frame_bytes(number: int, size: int = 100) -> bytes:
    """One encoded frame at `number` milliseconds."""
    return encode_frames(
        [Frame(1000 * number, Direction.SERVER_TO_CLIENT, number.to_bytes(8, "big").ljust(size, b"."))]
    )


@dataclass
class FakeLog:
    """Anchoring and DataChain in memory, which outlives restarts of the rest as a durable log does."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    openings: list[OpeningStatement] = field(default_factory=list)
    closings: dict[str, tuple[Manifest, list[ChunkRecord]]] = field(default_factory=dict)
    down: bool = False

    async def put(self, *, body: bytes) -> str:
        self.bodies[digest_of(body)] = body
        return digest_of(body)

    async def opened(self, *, statement: OpeningStatement) -> int:
        self._check_up()
        if statement not in self.openings:
            self.openings.append(statement)
        return self.openings.index(statement)

    async def closed(self, *, manifest: Manifest, chunks: list[ChunkRecord]) -> int:
        self._check_up()
        known = self.closings.setdefault(manifest.session, (manifest, list(chunks)))
        if known != (manifest, chunks):
            raise Conflict("closed with another manifest")
        return 1000 + list(self.closings).index(manifest.session)

    async def bundle(self, *, session: str, wait_s: float) -> bytes:
        self._check_up()
        if session not in self.closings:
            raise NotFound("not closed yet")
        return b"{}"

    def _check_up(self) -> None:
        if self.down:
            raise Unavailable("the log does not answer")


class FakeBus:
    """A bus that keeps what was published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Json]] = []

    async def publish(self, topic: str, body: Json) -> str:
        self.events.append((topic, body))
        return str(len(self.events))


class TurnedClock(SystemClock):
    """The machine's clock, set back or forth by a test."""

    def __init__(self) -> None:
        self.offset_s = 0.0

    def now(self) -> str:
        return shift_time(super().now(), self.offset_s)


Wrap = Callable[[type, Any], Any]


def _plain(_port: type, implementation: Any) -> Any:
    return implementation


class RecordingPath:
    """Recorder, processor, storage and pipeline in one process. `wrap` may replace any port by a proxy."""

    def __init__(self, root: Path, log: FakeLog, *, wrap: Wrap = _plain, clock: Clock | None = None) -> None:
        self.root = root
        self.sweep_interval_s = 0.0
        self.log = log
        self.bus = FakeBus()
        self.clock = clock or SystemClock()
        self._wrap = wrap
        self._apps: list[App] = []

    async def start(self) -> None:
        self.folder = DiskFolder(self.root / "recorder")
        self.documents = await SqliteDocuments.open(self.root / "documents.db")
        bound: dict[type, Any] = {
            Folder: self._wrap(Folder, self.folder),
            Blobs: self._wrap(Blobs, DiskBlobs(self.root / "chunks")),
            Documents: self._wrap(Documents, self.documents),
            Bus: self._wrap(Bus, self.bus),
            Anchoring: self._wrap(Anchoring, self.log),
            DataChain: self._wrap(DataChain, self.log),
        }
        recorder = SessionRecorderSettings(
            platform_identity=PLATFORM, recipients=(age.recipient_of(OWNER),), segment_bytes=64 * 1024
        )
        processor = SessionProcessorSettings(platform_identity=PLATFORM)
        self._bound = bound
        await self._add(lambda ports: create_recorder(recorder, ports))
        await self._add(lambda ports: create_storage(SessionStorageSettings(), ports))
        await self._add(lambda ports: create_processor(processor, ports))
        self.recorder: Recorder = bound[Recorder]
        self.storage: Storage = bound[Storage]
        self.processor: Processor = bound[Processor]
        await self.restart_pipeline()

    async def restart_pipeline(self) -> None:
        """Start the pipeline, beside services that may be running already."""
        settings = SessionPipelineSettings(
            open_limit_s=2,
            poll_s=1,
            retry_first_s=0.01,
            retry_limit_s=0.05,
            sweep_interval_s=self.sweep_interval_s,
        )
        await self._add(lambda ports: create_pipeline(settings, ports))
        self.pipeline: Pipeline = self._bound[Pipeline]

    async def _add(self, create: Callable[[Ports], App]) -> None:
        app = create(Ports(self._bound, self.clock))
        self._bound |= {port: self._wrap(port, provided) for port, provided in app.provides.items()}
        self._apps.append(app)
        await app.start()

    async def stop(self) -> None:
        """An orderly end."""
        for app in reversed(self._apps):
            await app.stop()
        await self._let_go()

    async def crash(self) -> None:
        """As near to the end of a process as one process can play it: nothing is written any more."""
        for app in reversed(self._apps):
            for provided in app.provides.values():
                if hasattr(provided, "_tasks"):
                    await provided._tasks.close()
        await self._let_go()

    async def _let_go(self) -> None:
        await self.folder.release()
        await self.documents.aclose()
        self._apps.clear()

    async def proven(self, session: str) -> tuple[Manifest, list[ChunkRecord]]:
        """Wait for the proof; what was anchored."""
        found = await self.pipeline.wait(session=session, wait_s=20)
        assert found.state == "proven", found
        manifest, chunks = self.log.closings[session]
        assert found.chunks == tuple(chunks)
        assert manifest.chunks.count == len(chunks)
        assert parse_time(manifest.closed) >= parse_time(manifest.opened)
        assert format_time(parse_time(manifest.closed)) == manifest.closed
        return manifest, chunks

    async def released(self) -> None:
        """Wait until no journal is left."""
        await eventually(lambda: self.recorder.recordings(), lambda found: not found)


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """What `look` sees as soon as it `holds`."""
    async with asyncio.timeout(10):
        while not holds(found := await look()):  # noqa: ASYNC110 - what is waited for lies behind a port
            await asyncio.sleep(0.005)
    return found
