"""Sessions, recordings and logs for the test vectors, made of model/ and crypto/ alone.

Everything is fixed: keys, times, session ids, frames. Honest parts are built by default; a vector passes a
change for the one part in which it lies.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import zstandard

from lucid.base.clock import shift_time
from lucid.crypto import aead, merkle
from lucid.crypto.note import SignerKey, sign
from lucid.crypto.proof import TlogProof
from lucid.model import tlog
from lucid.model.bundle import Bundle, ProvenEntry
from lucid.model.canonical import NO_DIGEST, canonical_json, digest_of
from lucid.model.chunk import ChunkHeader, ChunkRecord
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry
from lucid.model.frame import Direction, Frame, encode_frames
from lucid.model.manifest import ByteCounts, ChunkTree, Manifest, OpeningStatement, WrappedKey
from lucid.model.policy import Policy
from lucid.model.session import EndReason, RecorderNumber, SessionEnd
from lucid.model.tlog import Block, Checkpoint

Files = dict[str, bytes]

ORIGIN = "lucid.example/log"
LOG_KEY = SignerKey(ORIGIN, hashlib.sha256(b"log key").digest())
OTHER_KEY = SignerKey(ORIGIN, hashlib.sha256(b"another key of the same name").digest())
WITNESS_KEY = SignerKey("witness.example", hashlib.sha256(b"witness").digest())
DATA_KEY = hashlib.sha256(b"data key").digest()

START = "2026-01-01T00:00:00.000000Z"
POLICY = Policy()


def at(seconds: float) -> str:
    """The time `seconds` after the beginning of the vectors' world."""
    return shift_time(START, seconds)


def session_id(number: int) -> str:
    return f"01930000-0000-7000-8000-{number:012d}"


def frames_of(chunk: int) -> list[Frame]:
    """Four frames of chunk `chunk`, a second of the session each chunk."""
    begin = chunk * 1_000_000
    screen = hashlib.sha256(chunk.to_bytes(4, "big")).digest() * 4
    first = Frame(begin, Direction.SERVER_TO_CLIENT, screen)
    if chunk == 0:
        start = canonical_json({"event": "start", "height": 768, "protocol": "rdp", "width": 1024})
        first = Frame(0, Direction.EVENT, start)
    return [
        first,
        Frame(begin + 1_000, Direction.CLIENT_TO_SERVER, b"key"),
        Frame(begin + 1_000, Direction.SERVER_TO_CLIENT, screen),
        Frame(begin + 900_000, Direction.SERVER_TO_CLIENT, b"\x00" * 100),
    ]


ZSTD_VERSION = (1, 5, 7)
"""The compressor that made the vectors; another may write other bytes for the same frames."""


def compress(frames: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(frames)


@dataclass(frozen=True)
class Chunk:
    """A sealed chunk: what the list says of it, and its file."""

    record: ChunkRecord
    data: bytes


def seal(
    session: str,
    index: int,
    previous: bytes,
    *,
    attempt: int = 0,
    plain: bytes | None = None,
    key: bytes = DATA_KEY,
    magic: bytes | None = None,
    **header_changes: Any,
) -> Chunk:
    """Chunk `index` after the one whose digest is `previous`. `plain`: what is encrypted instead of the
    compressed frames. `header_changes`: header fields that lie, in the list as well."""
    frames = frames_of(index)
    encoded = encode_frames(frames)
    fields: dict[str, Any] = {
        "session": session,
        "index": index,
        "attempt": attempt,
        "first_us": frames[0].time_us,
        "last_us": frames[-1].time_us,
        "frames": len(frames),
        "length": len(encoded),
        "previous": previous,
    } | header_changes
    header = ChunkHeader(**fields)
    aad = header.to_bytes()
    data = aad + aead.seal(key, header.nonce(), compress(encoded) if plain is None else plain, aad)
    return record_of(data, header, magic)


def record_of(data: bytes, header: ChunkHeader, magic: bytes | None = None) -> Chunk:
    """The chunk with its entry in the list."""
    if magic is not None:
        data = magic + data[8:]
    record = ChunkRecord(
        digest=digest_of(data),
        size=len(data),
        index=header.index,
        attempt=header.attempt,
        first_us=header.first_us,
        last_us=header.last_us,
        frames=header.frames,
        length=header.length,
    )
    return Chunk(record, data)


def seal_all(session: str, count: int = 3, first_attempt: int = 0) -> list[Chunk]:
    """An honest recording of `count` chunks."""
    chunks: list[Chunk] = []
    previous = bytes(32)
    for index in range(count):
        chunks.append(seal(session, index, previous, attempt=first_attempt if index == 1 else 0))
        previous = bytes.fromhex(chunks[-1].record.digest)
    return chunks


def recording(chunks: Iterable[Chunk]) -> Files:
    """The folder of a recording."""
    return {chunk.record.digest: chunk.data for chunk in chunks}


def same(value: Any) -> Any:
    """The change that changes nothing."""
    return value


Change = Callable[[Any], Any]


@dataclass
class Session:
    """One session with its two bodies and two entries, each open to a change before it is committed to."""

    number: int
    recorder: str = "rec-one"
    sequence: int = 1
    seconds: float = 10.0
    chunks: list[Chunk] = field(default_factory=list)
    keys: tuple[WrappedKey, ...] = ()
    change_opening: Change = same
    change_manifest: Change = same
    change_opened_entry: Change = same
    change_closed_entry: Change = same

    @property
    def id(self) -> str:
        return session_id(self.number)

    @property
    def opened(self) -> str:
        return at(self.number * 100)

    @property
    def closed(self) -> str:
        return at(self.number * 100 + self.seconds)

    @property
    def opening(self) -> OpeningStatement:
        statement: OpeningStatement = self.change_opening(
            OpeningStatement(
                session=self.id,
                user="alice",
                host="demo",
                policy=POLICY.digest(),
                recorder=RecorderNumber(id=self.recorder, sequence=self.sequence),
                opened=self.opened,
                closes_by=shift_time(self.opened, POLICY.total_limit_s + 900),
            )
        )
        return statement

    @property
    def manifest(self) -> Manifest:
        records = [chunk.record for chunk in self.chunks]
        manifest: Manifest = self.change_manifest(
            Manifest(
                session=self.id,
                user="alice",
                host="demo",
                policy=POLICY.digest(),
                recorder=RecorderNumber(id=self.recorder, sequence=self.sequence),
                opened=self.opened,
                closed=self.closed,
                end=SessionEnd(reason=EndReason.CLIENT_CLOSED),
                duration_us=records[-1].last_us if records else 0,
                frames=sum(record.frames for record in records),
                bytes=ByteCounts(
                    recorded=sum(record.length for record in records), stored=sum(record.size for record in records)
                ),
                chunks=ChunkTree(count=len(records), root=merkle.root(record.to_bytes() for record in records).hex()),
                keys=self.keys,
            )
        )
        return manifest

    def opened_entry(self) -> bytes:
        statement = self.opening
        entry = LogEntry(
            type=SESSION_OPENED,
            time=self.opened,
            actor="session-anchoring",
            body=statement.digest(),
            session=self.id,
            recorder=self.recorder,
            sequence=self.sequence,
            closes_by=shift_time(self.opened, POLICY.total_limit_s + 900),
        )
        return _bytes(self.change_opened_entry(entry))

    def closed_entry(self) -> bytes:
        entry = LogEntry(
            type=SESSION_CLOSED,
            time=shift_time(self.closed, 1),
            actor="session-anchoring",
            body=self.manifest.digest(),
            session=self.id,
            recorder=self.recorder,
            sequence=self.sequence,
        )
        return _bytes(self.change_closed_entry(entry))


def _bytes(entry: LogEntry | bytes) -> bytes:
    return entry if isinstance(entry, bytes) else entry.to_bytes()


def other_entry(number: int) -> bytes:
    """An entry that is about no session."""
    body = digest_of(str(number).encode())
    return LogEntry(type="host.added", time=at(number), actor="admin", body=body).to_bytes()


class Log:
    """A log that grows by blocks."""

    def __init__(self, signer: SignerKey = LOG_KEY, origin: str = ORIGIN) -> None:
        self.signer, self.origin = signer, origin
        self.entries: list[bytes] = []
        self.blocks: list[Block] = []

    def copy(self) -> "Log":
        log = Log(self.signer, self.origin)
        log.entries, log.blocks = list(self.entries), list(self.blocks)
        return log

    def add(self, *entries: bytes, **changes: Any) -> "Log":
        """One block of entries. `changes`: fields of the block that lie."""
        self.entries.extend(entries)
        fields: dict[str, Any] = {
            "origin": self.origin,
            "height": len(self.blocks),
            "time": at(100_000 + len(self.blocks)),
            "previous": self.blocks[-1].digest() if self.blocks else NO_DIGEST,
            "size": len(self.entries),
            "root": merkle.root(self.entries),
            "entries": len(entries),
            "proposer": "blockchain-engine",
        } | changes
        self.blocks.append(Block(**fields))
        return self

    @property
    def size(self) -> int:
        return len(self.entries)

    def checkpoint(self, **changes: Any) -> str:
        """The signed checkpoint of the newest size. `changes`: its fields that lie."""
        fields: dict[str, Any] = {"origin": self.origin, "size": self.size, "root": merkle.root(self.entries)} | changes
        return sign(Checkpoint(**fields).to_text(), self.signer)

    def block(self, height: int = -1) -> str:
        return sign(self.blocks[height].to_text(), self.signer)

    def proof(self, index: int, checkpoint: str | None = None) -> TlogProof:
        hashes = [merkle.leaf_hash(entry) for entry in self.entries]

        def subtree(level: int, number: int) -> bytes:
            return merkle.root_of_hashes(hashes[number << level : (number + 1) << level])

        return TlogProof(
            index, tuple(merkle.inclusion_path(subtree, index, self.size)), checkpoint or self.checkpoint()
        )

    def files(self) -> Files:
        """The folder of the log."""
        files = {
            "checkpoint": self.checkpoint().encode(),
            "key": (self.signer.verifier.format() + "\n").encode(),
        }
        for height in range(len(self.blocks)):
            files[tlog.block_path(height)] = self.block(height).encode()
        hashes = [merkle.leaf_hash(entry) for entry in self.entries]
        for level, number, width in tlog.tiles_of(self.size):
            if level == 0:
                begin = number * tlog.TILE_WIDTH
                bundle = tlog.encode_entries(self.entries[begin : begin + width])
                files[tlog.entries_path(number, width)] = bundle
            span = tlog.TILE_WIDTH**level
            begin = number * tlog.TILE_WIDTH
            subtrees = [merkle.root_of_hashes(hashes[i * span : (i + 1) * span]) for i in range(begin, begin + width)]
            files[tlog.tile_path(level, number, width)] = b"".join(subtrees)
        return files


def prove(session: Session, log: Log, **changes: Any) -> Bundle:
    """The proof bundle of a session whose entries are in the log. `changes`: fields of the bundle that lie."""
    opened, closed = session.opened_entry(), session.closed_entry()
    fields: dict[str, Any] = {
        "manifest": session.manifest,
        "opening": session.opening,
        "chunks": tuple(chunk.record for chunk in session.chunks),
        "opened": proven(opened, log.proof(log.entries.index(opened))),
        "closed": proven(closed, log.proof(log.entries.index(closed))),
        "block": log.block(),
    }
    return Bundle(**(fields | changes))


def proven(entry: bytes, proof: TlogProof) -> ProvenEntry:
    return ProvenEntry(entry=base64.b64encode(entry).decode(), proof=proof.to_text())


def flip(data: bytes, position: int, mask: int = 1) -> bytes:
    """`data` with one byte changed; a negative position counts from the end."""
    changed = bytearray(data)
    changed[position] ^= mask
    return bytes(changed)
