"""Steps 8 to 11: the chunks are those of the manifest, whole, in order, and open. One chunk in memory at a time."""

import hashlib
from collections.abc import Iterator

import zstandard

from lucid.base.errors import Corrupted
from lucid.crypto import aead, age, merkle
from lucid.model.chunk import HEADER_BYTES, MAX_ATTEMPT, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, ChunkHeader, ChunkRecord
from lucid.model.frame import HEAD_BYTES, check_events, scan_frames
from lucid.verify.case import BundleCase, part, require
from lucid.verify.report import StepFailed
from lucid.verify.sources import ChunkSource

_HEADER_FIELDS = ("session", "index", "attempt", "first_us", "last_us", "frames", "length", "previous")


def chunk_list(case: BundleCase) -> str:
    """The list of chunks is the one that the manifest sums up."""
    chunks, manifest = case.bundle.chunks, case.bundle.manifest
    require(
        len(chunks) == manifest.chunks.count,
        f"{len(chunks)} chunks listed, the manifest says {manifest.chunks.count}",
    )
    last_us = 0
    for place, chunk in enumerate(chunks):
        require(chunk.index == place, f"chunk {place} of the list has index {chunk.index}")
        for what, value, least, most in (
            ("bytes", chunk.size, MIN_CHUNK_BYTES, MAX_CHUNK_BYTES),
            ("bytes of frames", chunk.length, chunk.frames * HEAD_BYTES, MAX_CHUNK_BYTES),
            ("attempts before it", chunk.attempt, 0, MAX_ATTEMPT),
        ):
            require(least <= value <= most, f"chunk {place}: {value} {what}, {least} to {most} are possible")
        require(last_us <= chunk.first_us <= chunk.last_us, f"chunk {place}: time goes back")
        last_us = chunk.last_us
    require(len({chunk.digest for chunk in chunks}) == len(chunks), "a chunk is listed twice")
    for name, found, said in (
        ("frames", sum(chunk.frames for chunk in chunks), manifest.frames),
        ("recorded bytes", sum(chunk.length for chunk in chunks), manifest.bytes.recorded),
        ("stored bytes", sum(chunk.size for chunk in chunks), manifest.bytes.stored),
        ("microseconds", last_us, manifest.duration_us),
    ):
        require(found == said, f"{found} {name} listed, the manifest says {said}")
    root = merkle.root(chunk.to_bytes() for chunk in chunks).hex()
    require(
        root == manifest.chunks.root, f"the root over the chunks is {root}, the manifest says {manifest.chunks.root}"
    )
    return f"{len(chunks)} chunks, {manifest.frames} frames, {manifest.bytes.recorded} bytes"


def chunk_files(case: BundleCase) -> str:
    """Every chunk's file is there and is what its name says, and no other file is."""
    source = _recording(case)
    total = case.bundle.manifest.bytes.stored
    done = 0
    for chunk in case.bundle.chunks:
        what = _what(chunk)
        size = source.size(chunk.digest)
        require(size is not None, f"{what} is missing (file {chunk.digest})")
        require(size == chunk.size, f"{what} has {size} bytes, {chunk.size} are listed (file {chunk.digest})")
        digest = hashlib.sha256(_read(source, chunk)).hexdigest()
        require(digest == chunk.digest, f"{what} is altered: its SHA-256 is {digest} (file {chunk.digest})")
        done += chunk.size
        case.progress("chunk-files", done, total)
    listed = {chunk.digest for chunk in case.bundle.chunks}
    other = min((name for name in source.names() if name not in listed), default=None)
    require(other is None, f"a file that is no chunk of this recording is in the folder: {other}")
    return f"{len(listed)} files, {total} bytes"


def chunk_headers(case: BundleCase) -> str:
    """Every chunk says itself whose it is, where it belongs and what comes before it."""
    source = _recording(case)
    for chunk, expected in _with_headers(case):
        with part(_what(chunk)):
            # Only the header is read, but the parser wants to see that a tag follows it.
            data = source.read(chunk.digest, HEADER_BYTES + aead.TAG_BYTES) or b""
            found = ChunkHeader.from_bytes(data)
        for field in _HEADER_FIELDS:
            says, listed = getattr(found, field), getattr(expected, field)
            if field == "previous":
                says, listed = says.hex(), listed.hex()
            require(says == listed, f"{_what(chunk)}: the header's {field} is {says}, expected {listed}")
    return f"{len(case.bundle.chunks)} headers"


def decryption(case: BundleCase) -> str:
    """A wrapped key opens, with it every chunk, and the frames are those that the header counts."""
    source = _recording(case)
    key = _data_key(case)
    total = case.bundle.manifest.bytes.stored
    done = 0
    for chunk, header in _with_headers(case):
        sealed = memoryview(_read(source, chunk))[HEADER_BYTES:]
        with part(_what(chunk)):
            compressed = aead.open(key, header.nonce(), sealed, header.to_bytes())
            frames = _decompress(compressed, chunk.length)
            span = scan_frames(frames)
            check_events(frames, first=chunk.index == 0)
        for name, found, said in (
            ("frames", span.count, chunk.frames),
            ("as first time", span.first_us, chunk.first_us),
            ("as last time", span.last_us, chunk.last_us),
        ):
            require(found == said, f"{_what(chunk)} holds {found} {name}, its header says {said}")
        done += chunk.size
        case.progress("decryption", done, total)
    return f"{case.bundle.manifest.frames} frames"


def _recording(case: BundleCase) -> ChunkSource:
    assert case.recording is not None, "the step is skipped without"
    return case.recording


def _what(chunk: ChunkRecord) -> str:
    return f"chunk {chunk.index}"


def _read(source: ChunkSource, chunk: ChunkRecord) -> bytes:
    data = source.read(chunk.digest, chunk.size)
    if data is None:
        raise StepFailed(f"{_what(chunk)} is missing (file {chunk.digest})")
    return data


def _with_headers(case: BundleCase) -> Iterator[tuple[ChunkRecord, ChunkHeader]]:
    """Each chunk with the only header that it may have, given the list."""
    previous = bytes(32)
    for chunk in case.bundle.chunks:
        yield (
            chunk,
            ChunkHeader(
                session=case.bundle.manifest.session,
                index=chunk.index,
                attempt=chunk.attempt,
                first_us=chunk.first_us,
                last_us=chunk.last_us,
                frames=chunk.frames,
                length=chunk.length,
                previous=previous,
            ),
        )
        previous = bytes.fromhex(chunk.digest)


def _data_key(case: BundleCase) -> bytes:
    assert case.identity is not None, "the step is skipped without"
    keys = (*case.bundle.manifest.keys, *case.shares)
    for wrapped in keys:
        try:
            key = age.unwrap(wrapped.wrapped, case.identity)
        except Corrupted:
            continue
        if len(key) == aead.KEY_BYTES:
            return key
    recipients = ", ".join(wrapped.recipient for wrapped in keys) or "nobody"
    raise StepFailed(f"no wrapped key opens with this identity and has 32 bytes; it is wrapped for {recipients}")


def _decompress(data: bytes, length: int) -> bytes:
    """One zstd frame of `length` bytes. Never makes more than that, whatever the frame announces."""
    try:
        announced = zstandard.frame_content_size(data)
        require(announced in (-1, length), f"its zstd frame holds {announced} bytes, the header says {length}")
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupted(f"not one zstd frame of {length} bytes: {error}") from None
    require(len(plain) == length, f"its zstd frame holds {len(plain)} bytes, the header says {length}")
    return plain
