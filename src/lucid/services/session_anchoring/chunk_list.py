"""The list of a session's chunks: checked against its manifest, and as bytes."""

import json

from lucid.base.errors import Corrupted, InvalidInput
from lucid.crypto.merkle import root
from lucid.model.canonical import canonical_json
from lucid.model.chunk import MAX_CHUNK_BYTES, ChunkRecord
from lucid.model.manifest import Manifest


def check_chunks(manifest: Manifest, chunks: list[ChunkRecord]) -> None:
    """Raises InvalidInput when the manifest does not commit to `chunks` (docs/format.md section 9, step 8)."""
    if [chunk.index for chunk in chunks] != list(range(len(chunks))):
        raise InvalidInput("chunks: indices do not run 0, 1, 2, …", field="chunks")
    before = 0
    for chunk in chunks:
        if not before <= chunk.first_us <= chunk.last_us:
            raise InvalidInput(f"chunks: the times of chunk {chunk.index} go back", field="chunks")
        if max(chunk.size, chunk.length) > MAX_CHUNK_BYTES:
            raise InvalidInput(f"chunks: chunk {chunk.index} is over {MAX_CHUNK_BYTES} bytes", field="chunks")
        before = chunk.last_us
    for name, stated, given in (
        ("chunks.count", manifest.chunks.count, len(chunks)),
        ("chunks.root", manifest.chunks.root, root(chunk.to_bytes() for chunk in chunks).hex()),
        ("frames", manifest.frames, sum(chunk.frames for chunk in chunks)),
        ("bytes.recorded", manifest.bytes.recorded, sum(chunk.length for chunk in chunks)),
        ("bytes.stored", manifest.bytes.stored, sum(chunk.size for chunk in chunks)),
        ("duration_us", manifest.duration_us, before),
    ):
        if stated != given:
            raise InvalidInput(f"chunks: the manifest's {name} is {stated}, the list gives {given}", field="chunks")


def encode_chunks(chunks: list[ChunkRecord]) -> bytes:
    """Canonical JSON of the list."""
    return canonical_json([chunk.model_dump(mode="json") for chunk in chunks])


def decode_chunks(data: bytes) -> tuple[ChunkRecord, ...]:
    """Raises Corrupted for anything but a list of chunks."""
    try:
        return tuple(ChunkRecord.model_validate(item) for item in json.loads(data))
    except (ValueError, TypeError):
        raise Corrupted("the stored chunk list cannot be read") from None
