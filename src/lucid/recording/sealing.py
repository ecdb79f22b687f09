"""Sealing: one closed segment becomes one compressed, encrypted chunk (docs/format.md section 3)."""

from dataclasses import dataclass

import zstandard

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.ids import SessionId
from lucid.crypto import aead
from lucid.model.chunk import ChunkHeader, ChunkRecord
from lucid.model.frame import FrameSpan, scan_frames
from lucid.ports.recording import SealJob
from lucid.recording.journal import open_segment

WINDOW_LOG = 24
"""Window, as a power of two of bytes: 16 MiB, more than a segment has by default. zstd takes less for less."""


@dataclass(frozen=True, slots=True)
class SealedChunk:
    """A chunk file's bytes and the header at their beginning."""

    header: ChunkHeader
    data: bytes

    def record(self, digest: str) -> ChunkRecord:
        """How the chunk is listed once it is stored under `digest`."""
        header = self.header
        return ChunkRecord(
            digest=digest,
            size=len(self.data),
            index=header.index,
            attempt=header.attempt,
            first_us=header.first_us,
            last_us=header.last_us,
            frames=header.frames,
            length=header.length,
        )


@dataclass(frozen=True, slots=True)
class PackedSegment:
    """A segment's frames, compressed: the part of sealing that does not depend on the chunk's place.
    `complete`: the segment ended with a record of its own. `length`: bytes before compression. `client`: the client's
    frames, if they were asked for."""

    span: FrameSpan
    length: int
    compressed: bytes
    complete: bool
    client: bytes = b""


def compressor(level: int) -> zstandard.ZstdCompressor:
    """How chunks are compressed. What a desktop shows again was often shown megabytes ago, and the low levels look
    back half a megabyte: with a window of the whole segment chunks are half as large, and sooner done, since less is
    left to encode. Decompressing takes no more memory for it: the segment is whole there anyway."""
    window_log = max(zstandard.ZstdCompressionParameters.from_level(level).window_log, WINDOW_LOG)
    return zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(level, window_log=window_log)
    )


def pack_segment(
    data_key: bytes,
    session: SessionId,
    number: int,
    segment: bytes | memoryview,
    *,
    zstd_level: int = 2,
    client: bool = False,
    memory: memoryview | None = None,
) -> PackedSegment:
    """Open a segment's file and compress its frames; with `client` keep those of the client as they are as well.
    `memory` is that of `open_segment`, and free again afterwards. Raises Corrupted when the segment's records do not
    open, or what they hold is not whole frames."""
    opened = open_segment(data_key, session, number, segment, memory)
    kept: list[bytes | memoryview] = []
    try:
        span = scan_frames(opened.frames, kept if client else None)
    except InvalidInput as error:
        raise Corrupted(f"segment {number}: {error.detail}") from None
    # All at once: piece by piece, zstd copies what it is given, and takes a quarter longer.
    compressed = compressor(zstd_level).compress(opened.frames)
    return PackedSegment(span, len(opened.frames), compressed, opened.closed is not None, b"".join(kept))


def seal_packed(job: SealJob, data_key: bytes, packed: PackedSegment) -> SealedChunk | None:
    """Encrypt as the chunk `job.index`; None when there is no frame. Raises Corrupted when the segment was cut.
    The pair of index and attempt is used once under a key."""
    if job.complete and not packed.complete:
        raise Corrupted(f"segment {job.segment}: its end is missing")
    if packed.span.count == 0:
        return None
    header = ChunkHeader(
        session=job.session,
        index=job.index,
        attempt=job.attempt,
        first_us=packed.span.first_us,
        last_us=packed.span.last_us,
        frames=packed.span.count,
        length=packed.length,
        previous=bytes.fromhex(job.previous),
    )
    head = header.to_bytes()
    return SealedChunk(header, head + aead.seal(data_key, header.nonce(), packed.compressed, head))


def seal_segment(job: SealJob, data_key: bytes, segment: bytes, *, zstd_level: int = 2) -> SealedChunk | None:
    """Seal a segment's file as `job` says: `pack_segment` and `seal_packed`."""
    packed = pack_segment(data_key, job.session, job.segment, segment, zstd_level=zstd_level)
    return seal_packed(job, data_key, packed)
