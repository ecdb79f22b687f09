"""What the services of the tamper-evident log offer each other and the rest of the platform."""

from typing import Protocol

from pydantic import Field

from lucid.base.ids import SessionId
from lucid.base.value import Value
from lucid.model.canonical import Digest
from lucid.model.chunk import ChunkRecord
from lucid.model.entry import LogEntry
from lucid.model.manifest import Manifest, OpeningStatement


class TreeState(Value):
    """The log as it stands. `checkpoint` and `block` are signed notes, empty for an empty log.
    `frontier` holds the roots (hex) of the full subtrees that make up the tree, largest first."""

    size: int = 0
    height: int = Field(default=-1, description="height of the newest block, -1 before the first")
    block_digest: Digest = "0" * 64
    block_time: str = ""
    checkpoint: str = ""
    frontier: tuple[Digest, ...] = ()


class FsckReport(Value):
    """Outcome of re-deriving the log from its entries: what was checked, and each problem as a sentence."""

    entries: int
    blocks: int
    tiles: int
    root: Digest
    problems: tuple[str, ...]


class LogStore(Protocol):
    """Tiles and blocks at rest, and proofs from them. Offered by block-manager."""

    async def state(self) -> TreeState: ...

    async def commit(self, *, slot: bytes) -> TreeState:
        """Make one slot durable: lucid.chain.slot.encode(block note, checkpoint note, entries). Everything
        is on disk before the checkpoint names it. The same slot again is no error. Raises Conflict when it
        does not follow the current state, Corrupted when root or signatures do not fit its entries."""
        ...

    async def tile(self, *, path: str) -> bytes:
        """A file of the log by its tlog-tiles path. Raises NotFound."""
        ...

    async def entry(self, *, index: int) -> bytes:
        """Raises NotFound for an index outside the published tree."""
        ...

    async def block(self, *, height: int) -> str:
        """The signed note. Raises NotFound."""
        ...

    async def block_of_size(self, *, size: int) -> str:
        """The signed block whose tree has exactly `size` entries. Raises NotFound."""
        ...

    async def inclusion(self, *, index: int, size: int) -> list[Digest]:
        """RFC 6962 audit path of the entry in the tree of `size`. Raises NotFound."""
        ...

    async def consistency(self, *, old: int, new: int) -> list[Digest]:
        """RFC 6962 consistency proof. Raises NotFound."""
        ...

    async def fsck(self, *, wait_s: float = 3600.0) -> FsckReport:
        """Read and derive the whole log again. Raises Unavailable when that takes longer than `wait_s`."""
        ...


class LogStatus(Value):
    """The engine's view: published size, entries accepted but not yet integrated, key and origin."""

    origin: str
    key: str = Field(description="verifier key (vkey)")
    size: int
    pending: int
    height: int
    checkpoint: str
    slot_ms: int


class LogWriter(Protocol):
    """The order of entries. Offered by blockchain-engine."""

    async def append(self, *, entry: bytes) -> int:
        """Take one entry; when the call returns it is durable and its index final. The same bytes as a
        recent entry return that entry's index. Raises InvalidInput, Unavailable, StorageFull."""
        ...

    async def included(self, *, index: int, wait_s: float) -> str:
        """The newest checkpoint (signed note), as soon as it covers `index`. Raises Unavailable when that
        takes longer than `wait_s`."""
        ...

    async def status(self) -> LogStatus: ...


class BodyReport(Value):
    """Outcome of checking that every body which the log commits to is there and intact."""

    checked: int
    missing: tuple[Digest, ...]
    damaged: tuple[Digest, ...]


class DataChain(Protocol):
    """The bodies that entries commit to. Offered by data-chain."""

    async def put(self, *, body: bytes) -> Digest: ...

    async def get(self, *, digest: Digest) -> bytes:
        """Raises NotFound, Corrupted."""
        ...

    async def delete(self, *, digest: Digest) -> bool: ...

    async def check(self, *, digests: list[Digest]) -> BodyReport: ...


class Anchoring(Protocol):
    """Sessions in the log. Offered by session-anchoring. All calls may be repeated safely."""

    async def opened(self, *, statement: OpeningStatement) -> int:
        """Anchor an opening and return the entry's index; durable when the call returns."""
        ...

    async def closed(self, *, manifest: Manifest, chunks: list[ChunkRecord]) -> int:
        """Anchor a closing and return the entry's index; durable when the call returns. `chunks` is the list
        that the manifest commits to. Raises InvalidInput when it is not, Conflict without an opening or after
        another closing."""
        ...

    async def bundle(self, *, session: SessionId, wait_s: float) -> bytes:
        """The session's proof bundle under one checkpoint. Raises NotFound, and Unavailable while the log
        has not published the closing within `wait_s`."""
        ...

    async def act(self, *, type: str, subject: dict[str, str], session: SessionId | None = None) -> LogEntry:
        """Anchor another accountable act; `subject` becomes its body together with type and time."""
        ...
