"""Sealing: one closed segment becomes one compressed, encrypted chunk (docs/format.md section 3)."""

from dataclasses import dataclass

import zstandard

from lucid.base.errors import Corrupted, InvalidInput
from lucid.crypto import aead
from lucid.model.chunk import ChunkHeader, ChunkRecord
from lucid.model.frame import scan_frames
from lucid.ports.recording import SealJob
from lucid.recording.journal import open_segment


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


def seal_segment(job: SealJob, data_key: bytes, segment: bytes, *, zstd_level: int = 1) -> SealedChunk | None:
    """Seal a segment's file as `job` says; None when it holds no frame. Raises Corrupted when its records do
    not open, it was cut, or what they hold is not whole frames."""
    opened = open_segment(data_key, job.session, job.segment, segment)
    if job.complete and opened.closed is None:
        raise Corrupted(f"segment {job.segment}: its end is missing")
    if not opened.frames:
        return None
    frames = b"".join(opened.frames)
    del opened
    return seal_frames(job, data_key, frames, zstd_level=zstd_level)


def seal_frames(job: SealJob, data_key: bytes, frames: bytes, *, zstd_level: int = 1) -> SealedChunk:
    """Seal encoded frames as the chunk `job.index`. The pair of index and attempt is used once under a key."""
    try:
        span = scan_frames(frames)
    except InvalidInput as error:
        raise Corrupted(f"segment {job.segment}: {error.detail}") from None
    header = ChunkHeader(
        session=job.session,
        index=job.index,
        attempt=job.attempt,
        first_us=span.first_us,
        last_us=span.last_us,
        frames=span.count,
        length=len(frames),
        previous=bytes.fromhex(job.previous),
    )
    head = header.to_bytes()
    compressed = zstandard.ZstdCompressor(level=zstd_level).compress(frames)
    return SealedChunk(header, head + aead.seal(data_key, header.nonce(), compressed, head))
