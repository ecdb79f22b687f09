"""The opening statement and the manifest: what the log's session entries commit to (section 4 and 5)."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from lucid.base.clock import Time
from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.canonical import CanonicalValue, Digest
from lucid.model.session import RecorderNumber, SessionEnd


class OpeningStatement(CanonicalValue):
    """Who opened which session to what host under which policy; the body of `session.opened`."""

    format: Literal["lucid-opening/1"] = "lucid-opening/1"
    session: SessionId
    user: Name
    host: Name
    policy: Digest
    recorder: RecorderNumber
    opened: Time
    closes_by: Time


class ByteCounts(Value):
    """Bytes of frames before compression, and of chunk files."""

    recorded: int = Field(ge=0)
    stored: int = Field(ge=0)


class ChunkTree(Value):
    """How many chunks there are and the RFC 6962 root over their digests."""

    count: int = Field(ge=0)
    root: Digest


class WrappedKey(Value):
    """The data key as an age file (base64) that `recipient` (age1…) can open."""

    recipient: str = Field(pattern=r"^age1[0-9a-z]+$")
    wrapped: str = Field(max_length=4096, description="base64 of an age file")


class Manifest(CanonicalValue):
    """All that a recording consists of; the body of `session.closed`."""

    format: Literal["lucid-manifest/1"] = "lucid-manifest/1"
    session: SessionId
    user: Name
    host: Name
    policy: Digest
    recorder: RecorderNumber
    opened: Time
    closed: Time
    end: SessionEnd
    duration_us: int = Field(ge=0)
    frames: int = Field(ge=0)
    bytes: ByteCounts
    chunks: ChunkTree
    keys: Annotated[tuple[WrappedKey, ...], FailFast()]
