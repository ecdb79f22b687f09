"""Reading a recording back: the data key, and the frames of a sealed chunk."""

from collections.abc import Sequence

import zstandard

from lucid.base.errors import Corrupted, Forbidden
from lucid.base.secret import Secret
from lucid.crypto import aead, age
from lucid.model.chunk import HEADER_BYTES, ChunkHeader
from lucid.model.manifest import Manifest, WrappedKey


def data_key_of(manifest: Manifest, identity: Secret, shares: Sequence[WrappedKey] = ()) -> bytes:
    """The key that opens the recording's chunks, out of the manifest or of shares. Raises Forbidden when it is wrapped
    for other identities."""
    recipient = age.recipient_of(identity)
    for wrapped in (*manifest.keys, *shares):
        if wrapped.recipient == recipient:
            return age.unwrap(wrapped.wrapped, identity)
    raise Forbidden(f"the recording is not encrypted for {recipient}")


def open_chunk(data_key: bytes, chunk: bytes) -> bytes:
    """The encoded frames of a chunk file. Raises InvalidInput when it is none, Corrupted when it does not open."""
    header = ChunkHeader.from_bytes(chunk)
    view = memoryview(chunk)
    packed = aead.open(data_key, header.nonce(), bytes(view[HEADER_BYTES:]), chunk[:HEADER_BYTES])
    try:
        frames = zstandard.ZstdDecompressor().decompress(packed, max_output_size=header.length)
    except zstandard.ZstdError as error:
        raise Corrupted(f"chunk {header.index}: {error}") from None
    if len(frames) != header.length:
        raise Corrupted(f"chunk {header.index}: {len(frames)} bytes of frames, the header says {header.length}")
    return frames
