"""The three kinds of store that a service may be given: documents, blobs, and the bus."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with its id and version. The version begins at 1 and rises with each replacement."""

    id: str
    version: int
    body: Json


class Documents(Protocol):
    """JSON documents in named collections. A write is durable when the call returns; it is atomic for one
    document. Driver contract: tests/contract/test_documents.py."""

    async def insert(self, collection: str, id: str, body: Json) -> Stored:
        """Add a document. Raises Conflict when the id exists."""
        ...

    async def get(self, collection: str, id: str) -> Stored:
        """Raises NotFound."""
        ...

    async def replace(self, collection: str, id: str, body: Json, *, version: int) -> Stored:
        """Replace the document if it still has `version`. Raises Conflict (also when it is gone)."""
        ...

    async def delete(self, collection: str, id: str) -> bool:
        """Remove the document; False when there was none."""
        ...

    async def find(
        self,
        collection: str,
        where: Mapping[str, str | int | bool | list[str]] | None = None,
        *,
        after: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[Stored]:
        """Documents whose top-level fields equal `where` (a list: one of them), ordered by id; `after` is
        the id to continue behind."""
        ...


class Blobs(Protocol):
    """Immutable bytes named by their SHA-256. Contract: tests/contract/test_blobs.py."""

    async def put(self, data: bytes) -> str:
        """Store durably and return the digest; storing the same bytes again is no error.
        Raises StorageFull when the disk is full; nothing is left behind then."""
        ...

    async def get(self, digest: str) -> bytes:
        """Raises NotFound, and Corrupted when the bytes no longer have the digest."""
        ...

    async def size(self, digest: str) -> int:
        """Bytes of the blob. Raises NotFound."""
        ...

    async def delete(self, digest: str) -> bool:
        """Remove the blob; False when there was none."""
        ...

    def digests(self) -> AsyncIterator[str]:
        """All digests in order, without reading the blobs."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """A message of the bus. `position` is where to continue reading after it."""

    topic: str
    position: str
    body: Json


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit on the limit `key`, which allows `limit` hits at once and refills evenly over `window_s` seconds. If it
    is allowed, up to `spare` further ones are counted with it, as many as the limit allows."""

    key: str
    limit: int
    window_s: float
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a hit: further hits that it would allow now, the seconds to wait if this one was
    refused (0: it was allowed), and those until the limit is whole again. `spare`: further hits counted with it."""

    left: int
    wait_s: float
    whole_s: float
    spare: int = 0


class Bus(Protocol):
    """Events and limits, which may be lost without losing truth. Contract: tests/contract/test_bus.py."""

    async def publish(self, topic: str, body: Json) -> str:
        """Append to the topic's bounded stream and return the position."""
        ...

    async def read(self, topic: str, *, after: str = "$", wait_s: float = 1.0, limit: int = 100) -> list[Event]:
        """Events behind the position `after` (`0`: from the oldest kept; `$`: those that come from now on),
        waiting up to `wait_s` for the first; empty when none came."""
        ...

    async def hit(self, key: str, *, limit: int, window_s: float) -> float:
        """Count one hit on `key`, atomically. Returns 0 while at most `limit` fell into the window,
        otherwise the seconds until the next is allowed."""
        ...

    async def hits(self, hits: Sequence[Hit]) -> list[Allowance]:
        """Count many hits in one round trip, each atomically and by itself, in order. Unlike those of `hit`, these
        limits refill bit by bit, so they cost the same however high they are. A refused hit uses nothing up."""
        ...


class AppendFile(Protocol):
    """A file that only grows."""

    async def append(self, *parts: bytes | memoryview) -> None:
        """Write the parts at the end, one behind the other; on disk when the call returns. Raises StorageFull or
        Unavailable; the file is unusable then, and what it holds of the parts is undefined. What a cancelled caller
        appended is written whole, before anything that is appended later."""
        ...

    async def close(self) -> None: ...


class Folder(Protocol):
    """A service's own folder of files, for what must be laid out on disk in a defined way: journals, tiles,
    blocks. Paths are relative, with `/`. Contract: tests/contract/test_folder.py."""

    async def lock(self) -> None:
        """Own the folder until the process ends. Raises Conflict when another process owns it."""
        ...

    async def write(self, files: Mapping[str, bytes]) -> None:
        """Write the files, in order, each atomically (a reader sees the old or the new one, whole); after a
        crash none is there unless all before it are; all are on disk when the call returns. Raises
        StorageFull, Unavailable."""
        ...

    async def open_append(self, path: str) -> AppendFile:
        """Create (with its folders) or continue a file; its name is durable when the call returns."""
        ...

    async def read(self, path: str) -> bytes:
        """Raises NotFound."""
        ...

    async def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> bytes:
        """The ranges of a file, each an offset and a length, one behind the other; what lies behind the file's end
        is left out. Raises NotFound."""
        ...

    async def read_into(self, path: str, ranges: Sequence[tuple[int, int]], memory: memoryview) -> memoryview:
        """The same, put into `memory` at its beginning if there is room for it, else into fresh memory; a view of it.
        Memory that was in use lately is several times faster than fresh memory."""
        ...

    async def list(self, path: str = "") -> list[str]:
        """Paths of all files below `path`, sorted; empty when there is no such folder. Temporary files of
        an interrupted write are not listed."""
        ...

    async def delete(self, path: str) -> bool:
        """Remove a file, or a folder with all in it; False when there was none."""
        ...
