"""The Merkle root by which a manifest commits to its chunks (docs/format.md section 4)."""

from collections.abc import Iterable

from lucid.crypto.merkle import root
from lucid.model.canonical import Digest
from lucid.model.chunk import ChunkRecord


def chunk_root(chunks: Iterable[ChunkRecord]) -> Digest:
    """RFC 6962 root, in hex, over the canonical JSON of the chunk records in order."""
    return root(chunk.to_bytes() for chunk in chunks).hex()
