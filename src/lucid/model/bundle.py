"""The proof bundle of one session: all that an offline verifier needs (docs/format.md section 8)."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from lucid.base.value import Value
from lucid.model.canonical import CanonicalValue
from lucid.model.chunk import ChunkRecord
from lucid.model.manifest import Manifest, OpeningStatement


class ProvenEntry(Value):
    """An entry's bytes (base64) and its C2SP tlog-proof."""

    entry: str = Field(max_length=100_000)
    proof: str = Field(max_length=100_000)


class Bundle(CanonicalValue):
    """Manifest, chunk list, and proofs that opening and closing are in the log."""

    format: Literal["lucid-bundle/1"] = "lucid-bundle/1"
    manifest: Manifest
    opening: OpeningStatement
    chunks: Annotated[tuple[ChunkRecord, ...], FailFast()]
    opened: ProvenEntry
    closed: ProvenEntry
    block: str = Field(max_length=10_000)
