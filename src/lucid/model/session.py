"""A recorded session: its state on the way from opened to proven, and why it ended."""

from enum import StrEnum

from pydantic import Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.canonical import Digest
from lucid.model.chunk import ChunkRecord


class SessionState(StrEnum):
    """Forward only. `failed`: no recording was ever begun."""

    OPENING = "opening"
    RECORDING = "recording"
    SEALING = "sealing"
    ANCHORING = "anchoring"
    PROVEN = "proven"
    FAILED = "failed"


class EndReason(StrEnum):
    """Why a session ended; docs/format.md section 4 explains each."""

    CLIENT_CLOSED = "client-closed"
    HOST_CLOSED = "host-closed"
    IDLE_LIMIT = "idle-limit"
    TOTAL_LIMIT = "total-limit"
    TERMINATED = "terminated"
    INTERRUPTED = "interrupted"
    RECORDER_FAILED = "recorder-failed"
    CLIENT_STALLED = "client-stalled"
    PROTOCOL_ERROR = "protocol-error"
    HOST_UNREACHABLE = "host-unreachable"
    STORE_CORRUPTED = "store-corrupted"


class SessionEnd(Value):
    """The end of a session: the reason and one sentence of detail, which may be empty."""

    reason: EndReason
    detail: str = Field(default="", max_length=500)


class RecorderNumber(Value):
    """A recorder and the gap-free number it gave to a session, from 1."""

    id: Name
    sequence: int = Field(ge=1)


class Session(Value):
    """What the platform knows of a session; `opened` and `closed` are wall-clock times."""

    id: SessionId
    user: Name
    host: Name
    policy: Digest
    state: SessionState
    recorder: RecorderNumber | None = None
    opened: Time
    closed: Time | None = None
    end: SessionEnd | None = None
    frames: int = Field(default=0, ge=0, description="in the chunks stored so far")
    recorded_bytes: int = Field(default=0, ge=0, description="of the frames, before compression")
    stored_bytes: int = Field(default=0, ge=0, description="of the chunk files")
    chunks: tuple[ChunkRecord, ...] = Field(default=(), description="left out of lists of sessions")
    opened_index: int | None = Field(default=None, description="index of the opening entry in the log")
    closed_index: int | None = Field(default=None, description="index of the closing entry in the log")
    manifest: Digest | None = None
    error: str = Field(default="", description="why the session does not advance at the moment")
