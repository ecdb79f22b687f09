"""The text typed in a segment, and the state that goes from one segment to the next."""

import base64
import binascii
import os
from dataclasses import dataclass

import structlog

from lucid.base.errors import Corrupted
from lucid.base.ids import session_bytes
from lucid.crypto import aead
from lucid.ports.recording import SealJob, TypedLine
from lucid.recording.sealing import PackedSegment
from lucid.recording.typed_text import TypedReader

KEY_INFO = "lucid/typing/v1"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Typed:
    """What `Sealed` says of typed text."""

    lines: tuple[TypedLine, ...]
    layout: str
    typing: str


def read_typed(job: SealJob, data_key: bytes, packed: PackedSegment) -> Typed:
    """The lines that end in the segment of a job with `typing`. Whatever is wrong with the state or the client's stream
    costs text that could be found, never the recording."""
    key = aead.derive(data_key, KEY_INFO)
    reader = _reader(job, key)
    was_broken = reader.broken
    lines = reader.read(packed.client, last_us=packed.span.last_us, last=job.last)
    if reader.broken and not was_broken:
        _log.warning("typed text cannot be read any further", session=job.session, segment=job.segment)
    if reader.dropped or reader.unread:
        _log.warning(
            "typed text is not complete",
            session=job.session,
            segment=job.segment,
            dropped_lines=reader.dropped,
            unread_pdus=reader.unread,
        )
    nonce = os.urandom(aead.NONCE_BYTES)
    sealed = aead.seal(key, nonce, reader.state(), session_bytes(job.session))
    return Typed(lines, reader.layout, base64.b64encode(nonce + sealed).decode())


def _reader(job: SealJob, key: bytes) -> TypedReader:
    if not job.typing:
        return TypedReader()
    try:
        sealed = base64.b64decode(job.typing, validate=True)
        nonce, sealed = sealed[: aead.NONCE_BYTES], sealed[aead.NONCE_BYTES :]
        return TypedReader(aead.open(key, nonce, sealed, session_bytes(job.session)))
    except (binascii.Error, ValueError, Corrupted):
        _log.warning("typed text begins anew: its state does not open", session=job.session, segment=job.segment)
        return TypedReader()
