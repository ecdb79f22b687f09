"""What the services of the recording path offer each other, in the order that data flows."""

from typing import Protocol

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.canonical import Digest
from lucid.model.chunk import ChunkRecord
from lucid.model.host import Grant
from lucid.model.manifest import WrappedKey
from lucid.model.session import RecorderNumber, Session, SessionEnd


class RecordingStart(Value):
    """A begun recording: its number, and its data key wrapped for the platform and for each recipient."""

    recorder: RecorderNumber
    platform_key: WrappedKey
    keys: tuple[WrappedKey, ...]


class ClosedSegment(Value):
    """A journal segment that will not grow any more."""

    number: int = Field(ge=0)
    complete: bool = Field(description="its file ends with an end record; only the last segment of a crash has none")


class SegmentStatus(Value):
    """The next closed segment, if there is one; `end` once the recording has ended; `ended` once it has and no
    segment follows this one."""

    segment: ClosedSegment | None = None
    ended: bool = False
    end: SessionEnd | None = None
    last_us: int = Field(default=0, description="time of the last durable frame, microseconds")


class Recorder(Protocol):
    """Makes frames durable. Offered by session-recorder."""

    async def open(self, *, session: SessionId, playback: bool) -> RecordingStart:
        """Begin a recording. Raises Conflict when the session has one, StorageFull, Unavailable."""
        ...

    async def append(self, *, session: SessionId, frames: bytes | memoryview) -> None:
        """Make encoded frames durable; returns when they are on disk. Memory that is changed later may be given
        too: nothing of it is kept. Calls for one session come one at a time. Raises RecorderFailed when that takes
        over a second or fails; the recording has ended then.

        Without frames it says that the session goes on: a recording of which nothing is heard for a while is
        ended as interrupted, and a session whose recording has ended learns of it."""
        ...

    async def close(self, *, session: SessionId, end: SessionEnd) -> None:
        """End the recording; the last segment is closed. Doing so twice is no error, the first end counts."""
        ...

    async def next_segment(self, *, session: SessionId, after: int, wait_s: float) -> SegmentStatus:
        """The first closed segment whose number is over `after` (-1: from the first), waiting up to
        `wait_s` for it. Raises NotFound."""
        ...

    async def read_segment(
        self, *, session: SessionId, number: int, memory: memoryview | None = None
    ) -> bytes | memoryview:
        """The segment's records as they are, encrypted. A recorder in the same process puts them into `memory`, if
        they find room there, as Folder.read_into does. Raises NotFound."""
        ...

    async def release(self, *, session: SessionId) -> None:
        """Destroy the journal of a session whose closing is anchored. Doing so twice is no error. Raises
        Conflict while the recording goes on."""
        ...

    async def release_segment(self, *, session: SessionId, number: int) -> None:
        """Destroy one segment whose chunk is stored and remembered."""
        ...

    async def recordings(self) -> list[SessionId]:
        """Sessions that have a journal here, the interrupted ones of an earlier run among them."""
        ...

    async def start_of(self, *, session: SessionId) -> RecordingStart:
        """What `open` returned. Raises NotFound."""
        ...


class SealJob(Value):
    """One segment to be sealed as the chunk `index`; `previous` is the digest of the chunk before it.
    `complete` is that of the ClosedSegment: such a segment without an end record was cut. `typing`: read the typed
    text as well, from where the segment before it ended (its `Sealed.typing`, empty for the first); `last`: no segment
    follows, so what was typed last ends with it."""

    session: SessionId
    segment: int = Field(ge=0)
    complete: bool
    index: int = Field(ge=0)
    attempt: int = Field(ge=0)
    previous: Digest
    platform_key: WrappedKey
    typing: str | None = None
    last: bool = False


class TypedLine(Value):
    """Words that were typed one after the other, one space between them: up to Enter, a click or a key that moves
    elsewhere. `times_us` is when each word was begun, in microseconds since the session began."""

    text: str
    times_us: tuple[int, ...]


class Sealed(Value):
    """What came of a segment: its chunk, None when it has no frames; if that was asked for, the lines that ended in it,
    what the keys were read as, and the state to go on from, encrypted under the session's data key."""

    chunk: ChunkRecord | None
    lines: tuple[TypedLine, ...] = ()
    layout: str = ""
    typing: str | None = None


class Processor(Protocol):
    """Turns closed segments into stored chunks. Offered by session-processor."""

    async def seal(self, *, job: SealJob, wait_s: float = 60.0) -> Sealed:
        """Read the segment, compress, encrypt, store. Raises Corrupted
        when the segment's records do not open, StorageFull, Unavailable also after `wait_s`: what nobody waits for
        any more must not hold up the others."""
        ...


class StorageUsage(Value):
    """Bytes and number of the chunks at rest, and the quota in bytes (0: the disk's size)."""

    chunks: int
    bytes: int
    quota_bytes: int


class ScrubReport(Value):
    """Outcome of reading every chunk again: how many, and the digests of those that are damaged."""

    checked: int
    damaged: tuple[Digest, ...]


class Storage(Protocol):
    """Sealed chunks at rest. Offered by session-storage."""

    async def put(self, *, chunk: bytes) -> Digest:
        """Store durably. Raises StorageFull, InvalidInput when the bytes are no sealed chunk."""
        ...

    async def get(self, *, digest: Digest) -> bytes:
        """Raises NotFound, Corrupted."""
        ...

    async def delete(self, *, digest: Digest) -> bool: ...

    async def digests(self, *, after: Digest | None = None, limit: int = 500) -> list[Digest]:
        """Digests of the stored chunks behind `after`, in order. Cheap page by page, not from anywhere."""
        ...

    async def usage(self) -> StorageUsage: ...

    async def scrub(self) -> ScrubReport: ...


class SessionOpened(Value):
    """A session that may begin: its opening is in the log."""

    session: SessionId
    opened: Time


class TypedText(Value):
    """The text typed in a session that ended in its segment `segment`; `id` is its own, and rises with the session's
    age and the segment. `layout`: what the keys were read as, with a note where the client's layout is not known."""

    id: str
    session: SessionId
    user: Name
    host: Name
    opened: Time
    segment: int = Field(ge=0)
    layout: str
    lines: tuple[TypedLine, ...]


class Pipeline(Protocol):
    """The state of each session from opened to proven. Offered by session-pipeline."""

    async def open(self, *, grant: Grant) -> SessionOpened:
        """Begin recording and anchor the opening. Raises Unavailable, StorageFull: no session then. What was
        begun of it is closed and anchored in the background."""
        ...

    async def end(self, *, session: SessionId, end: SessionEnd) -> None:
        """The desktop session is over; sealing and anchoring go on in the background."""
        ...

    async def get(self, *, session: SessionId) -> Session:
        """Raises NotFound."""
        ...

    async def typed_text(
        self, *, session: SessionId | None = None, after: str | None = None, newest_first: bool = False, limit: int = 50
    ) -> list[TypedText]:
        """Text that was typed, of one session or of all, by id; `after` is the id to continue behind. A session whose
        policy does not allow it has none. After each, the bus says `{session, state, typed: id}` on the topic of the
        sessions, before the segment is released."""
        ...

    async def forget_typed_text(self, *, session: SessionId) -> list[str]:
        """Delete the text typed in the session, and return the ids of what there was. Raises NotFound for an unknown
        session, Conflict before it is proven or failed: more may come until then."""
        ...

    async def list(self, *, after: SessionId | None = None, state: str | None = None, limit: int = 50) -> list[Session]:
        """Sessions, newest first, without their chunks."""
        ...

    async def wait(self, *, session: SessionId, wait_s: float) -> Session:
        """The session as soon as it is proven or failed, or as it is after `wait_s`."""
        ...
