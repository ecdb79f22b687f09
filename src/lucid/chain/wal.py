"""The write-ahead log of entries that were acknowledged and are not in the published tree yet.

A file is a row of batches, each written by one append. A crash may cut or garble the last batch of a file,
which was never acknowledged then; damage before it is corruption and is reported, not skipped.
"""

import asyncio
import hashlib
import struct
from collections.abc import Iterator, Sequence

from lucid.base.errors import Corrupted, LucidError
from lucid.model.tlog import decode_entries, encode_entries
from lucid.ports.stores import AppendFile, Folder

MAGIC = b"LWB1"
_HEAD = struct.Struct(">4sQI32s")
FOLDER = "wal"


def encode_batch(first: int, entries: Sequence[bytes]) -> bytes:
    """Magic, index of the first entry, length of the payload, digest of both and the payload; then the
    payload, an entry bundle."""
    payload = encode_entries(entries)
    return _HEAD.pack(MAGIC, first, len(payload), _digest(first, payload)) + payload


def _digest(first: int, payload: bytes) -> bytes:
    return hashlib.sha256(struct.pack(">QI", first, len(payload)) + payload).digest()


def _batch_at(data: bytes, position: int) -> tuple[int, bytes] | None:
    """(first index, payload) of the whole batch at `position`, None when there is none."""
    if len(data) - position < _HEAD.size:
        return None
    magic, first, length, digest = _HEAD.unpack_from(data, position)
    payload = data[position + _HEAD.size : position + _HEAD.size + length]
    whole = magic == MAGIC and len(payload) == length and _digest(first, payload) == digest
    return (first, payload) if whole else None


def decode_batches(path: str, data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """(index of the first entry, entries) of each batch. Raises Corrupted when a damaged batch is followed by
    a whole one, for then it is not the torn end of a crash."""
    position = 0
    while (batch := _batch_at(data, position)) is not None:
        first, payload = batch
        position += _HEAD.size + len(payload)
        yield first, decode_entries(payload)
    after = position
    while (after := data.find(MAGIC, after + 1)) >= 0:
        if _batch_at(data, after) is not None:
            raise Corrupted(f"{path}: damaged at byte {position}; acknowledged entries are lost there")


class Wal:
    """The files `wal/NNNNNNNNNNNNNNNN` of a folder, numbered upwards. A file is used until a slot is published
    or an append fails, and deleted when the published tree covers it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._next = 0
        self._file: AppendFile | None = None
        self._path = ""
        self._ends: dict[str, int] = {}
        self._turn = asyncio.Lock()

    async def replay(self, published: int) -> list[bytes]:
        """The entries from index `published` on. A later file overrules an earlier one, whose end was not
        acknowledged then. Raises Corrupted when an entry is damaged or missing."""
        pending: list[bytes] = []
        for path in await self._folder.list(FOLDER):
            self._ends[path] = 0
            for first, entries in decode_batches(path, await self._folder.read(path)):
                self._ends[path] = first + len(entries)
                start = first - published
                if start > len(pending):
                    raise Corrupted(f"{path}: entries {published + len(pending)} to {first - 1} are missing before it")
                if start + len(entries) > 0:
                    pending[max(start, 0) :] = entries[max(-start, 0) :]
            self._next = int(path.rpartition("/")[2]) + 1
        return pending

    async def append(self, first: int, entries: Sequence[bytes]) -> None:
        """Make entries durable under the indexes from `first` on. Raises StorageFull, Unavailable; what was
        written then is overruled by the next append, which goes to a new file."""
        batch = await asyncio.to_thread(encode_batch, first, entries)
        async with self._turn:
            if self._file is None:
                path = f"{FOLDER}/{self._next:016d}"
                self._file = await self._folder.open_append(path)
                self._path = path
                self._next += 1
            self._ends[self._path] = first + len(entries)
            try:
                await self._file.append(batch)
            except LucidError:
                await self._leave()
                raise

    async def published(self, size: int) -> None:
        """The tree of `size` entries is published: files that it covers are deleted."""
        async with self._turn:
            await self._leave()
            for path in [path for path, end in self._ends.items() if end <= size]:
                await self._folder.delete(path)
                del self._ends[path]

    async def close(self) -> None:
        async with self._turn:
            await self._leave()

    async def _leave(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            await file.close()
