"""Taking entries: durable, numbered, acknowledged; many at a time with one write."""

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable

from lucid.base.errors import LucidError, Unavailable
from lucid.chain.wal import Wal

Waiting = tuple[bytes, bytes, "asyncio.Future[int]"]


class Intake:
    """Entries between append() and the published tree. `size` is the published size, entries before it are not
    kept. All calls come from one event loop; `run` is the one writer."""

    def __init__(self, wal: Wal, *, max_entries: int, max_bytes: int, recent: int) -> None:
        self._wal = wal
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_recent = recent
        self._recent: OrderedDict[bytes, int | asyncio.Future[int]] = OrderedDict()
        self._queue: list[Waiting] = []
        self._writing: list[Waiting] = []
        self._queued = asyncio.Event()
        self._durable: deque[bytes] = deque()
        self._some = asyncio.Event()
        self._bytes = 0
        self._over = False
        self.size = 0

    def restore(self, size: int, published: Iterable[bytes], pending: Iterable[bytes]) -> None:
        """Begin at the published `size`; `published` are the newest entries of the tree, `pending` those of the
        write-ahead log."""
        newest = list(published)
        self.size = size
        self._durable.extend(pending)
        self._bytes = sum(map(len, self._durable))
        for index, entry in enumerate([*newest, *self._durable], size - len(newest)):
            self._remember(hashlib.sha256(entry).digest(), index)
        if self._durable:
            self._some.set()

    @property
    def pending(self) -> int:
        """Entries accepted and not published."""
        return len(self._durable) + len(self._writing) + len(self._queue)

    async def append(self, entry: bytes) -> int:
        """The entry's index, once it is durable. Raises Unavailable when too much is waiting or nothing is written any
        more, StorageFull."""
        digest = hashlib.sha256(entry).digest()
        known = self._recent.get(digest)
        if known is None:
            if self._over:
                raise _over()
            if self.pending >= self._max_entries or self._bytes + len(entry) > self._max_bytes:
                raise Unavailable(f"{self.pending} entries wait for the log to be written", retry_after_s=1)
            known = asyncio.get_running_loop().create_future()
            known.add_done_callback(_retrieve)
            self._remember(digest, known)
            self._queue.append((entry, digest, known))
            self._bytes += len(entry)
            self._queued.set()
        # The write goes on for whoever repeats the entry, even if this caller goes away.
        return known if isinstance(known, int) else await asyncio.shield(known)

    def _remember(self, digest: bytes, index: "int | asyncio.Future[int]") -> None:
        self._recent[digest] = index
        if len(self._recent) > self._max_recent:
            self._recent.popitem(last=False)

    async def run(self) -> None:
        """Write what is queued, for ever: while one write is on its way, the next batch gathers. Whatever ends it
        fails all calls that wait and all that come later."""
        try:
            while True:
                await self._queued.wait()
                self._queued.clear()
                await self._write_batch()
        finally:
            self.abandon()

    async def _write_batch(self) -> None:
        batch, self._queue = self._queue, []
        self._writing = batch
        first = self.size + len(self._durable)
        try:
            await self._wal.append(first, [entry for entry, _, _ in batch])
        except LucidError as error:
            self._writing = []
            self._reject(batch, error)
            return
        self._writing = []
        self._durable.extend(entry for entry, _, _ in batch)
        for index, (_, digest, future) in enumerate(batch, first):
            if digest in self._recent:
                self._recent[digest] = index
            future.set_result(index)
        self._some.set()

    def _reject(self, batch: list[Waiting], error: LucidError) -> None:
        for entry, digest, future in batch:
            self._recent.pop(digest, None)
            self._bytes -= len(entry)
            future.set_exception(error)

    def abandon(self) -> None:
        """Fail all calls that wait, and take no more. Entries of a write on its way may be durable."""
        self._over = True
        batch = self._writing + self._queue
        self._writing, self._queue = [], []
        self._reject(batch, _over())

    async def some(self) -> None:
        """Wait until an entry is durable and not published."""
        await self._some.wait()

    def head(self, entries: int, size_bytes: int) -> list[bytes]:
        """The oldest unpublished entries, within limits, at least one."""
        taken: list[bytes] = []
        for entry in self._durable:
            size_bytes -= len(entry)
            if taken and (len(taken) == entries or size_bytes < 0):
                break
            taken.append(entry)
        return taken

    async def published(self, size: int) -> None:
        """The tree of `size` entries is published."""
        for _ in range(size - self.size):
            self._bytes -= len(self._durable.popleft())
        self.size = size
        if not self._durable:
            self._some.clear()
        await self._wal.published(size)


def _over() -> Unavailable:
    return Unavailable("blockchain-engine takes no entries any more")


def _retrieve(future: "asyncio.Future[int]") -> None:
    """Look at the outcome, so that a failure whose callers are all gone is not reported as forgotten."""
    if not future.cancelled():
        future.exception()
