"""The key-value store: in memory, and durable before anybody is answered."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from lucid.base.errors import Conflict, NotFound, Unavailable
from lucid.base.tasks import to_the_end
from lucid.ports.stores import Documents, Json, Stored
from lucid.services.service_mesh.entries import Entries, Entry, Locks, Operation, View, cut, perform
from lucid.services.service_mesh.errors import Refusal
from lucid.services.service_mesh.indexes import Indexes, Topic

KEYS, TRANSACTIONS, MARKS = "mesh_keys", "mesh_transactions", "mesh_marks"
KEYS_TOPIC: Topic = ("keys",)
_MARK, _BEGUN = "index", "begun"
_PAGE = 500


@dataclass(frozen=True)
class Limits:
    """How much the store takes."""

    value_bytes: int
    total_bytes: int
    keys: int


@dataclass(frozen=True)
class Outcome:
    """What became of operations. `failed` are the places of those whose condition did not hold; nothing has changed
    then. `found`: by place, the entries that it read or made."""

    failed: tuple[int, ...]
    found: tuple[tuple[Entry, ...], ...]


class Keys:
    """All keys. Changes come one after the other; each is one write of a document, or, of several keys, is written down
    first and so happens whole or not at all."""

    def __init__(self, documents: Documents, indexes: Indexes, limits: Limits) -> None:
        self._documents = documents
        self._indexes = indexes
        self._limits = limits
        self._versions: dict[str, int] = {}
        self._uncertain: set[str] = set()
        self._begun: Mapping[str, Entry | None] | None = None
        self._turn = asyncio.Lock()
        self.entries = Entries()

    async def load(self) -> None:
        """Read what is stored, after finishing the transactions that were begun."""
        async for stored in self.stored(TRANSACTIONS):
            for body in stored.body["entries"]:
                await self._redo(body)
            await self._documents.delete(TRANSACTIONS, stored.id)
        async for stored in self.stored(KEYS):
            entry = Entry.of(stored.body)
            self.entries.set(entry.key, entry)
            self._versions[entry.key] = stored.version
            self._indexes.set(("key", entry.key), entry.modify_index)
        marks = [stored.body["index"] async for stored in self.stored(MARKS)]
        newest = max([entry.modify_index for entry in self.entries] + marks, default=0)
        self._indexes.rise_to(newest)
        self._indexes.touch(KEYS_TOPIC)

    async def _redo(self, body: Json) -> None:
        try:
            known = await self._documents.get(KEYS, _id(body["key"]))
        except NotFound:
            if "value" in body:
                await self._documents.insert(KEYS, _id(body["key"]), body)
            return
        if "value" in body:
            await self._documents.replace(KEYS, known.id, body, version=known.version)
        else:
            await self._documents.delete(KEYS, known.id)

    async def stored(self, collection: str) -> AsyncIterator[Stored]:
        """All documents of a collection."""
        after = None
        while page := await self._documents.find(collection, after=after, limit=_PAGE):
            for found in page:
                yield found
            after = page[-1].id

    def names(self, prefix: str, separator: str) -> list[str]:
        """Keys that begin so, each cut behind the first `separator` after the prefix."""
        return list(dict.fromkeys(cut(key, prefix, separator) for key in self.entries.keys(prefix)))

    async def run(self, operations: Sequence[Operation], locks: Locks) -> Outcome:
        """Do all of them, or nothing when the condition of one does not hold. Raises Refusal, Unavailable."""
        return await to_the_end(self._run(operations, locks))

    async def _run(self, operations: Sequence[Operation], locks: Locks) -> Outcome:
        async with self._turn:
            await self._finish()
            view = View(self.entries, self._indexes.next())
            failed, found = [], []
            for place, operation in enumerate(operations):
                if len(operation.value) > self._limits.value_bytes:
                    raise Refusal(413, f"Request body too large, max size: {self._limits.value_bytes} bytes.")
                if not perform(view, operation, locks):
                    failed.append(place)
                found.append(_found(view, operation))
            if failed:
                return Outcome(tuple(failed), ())
            self._check_room(view.changes)
            await self._commit(view.changes, whole=True)
            return Outcome((), tuple(found))

    async def end_session(self, session: str, *, delete: bool, freeing: Callable[[list[str]], None]) -> None:
        """Free all that the session holds, or delete it; `freeing` is told the keys before that. Key by key: what is
        left after a crash is freed when the session, which is there still, ends again."""
        async with self._turn:
            await self._finish()
            held = [entry.key for entry in self.entries if entry.session == session]
            freeing(held)
            view = View(self.entries, self._indexes.next())
            for key in held:
                _ = view.delete(key) if delete else view.set(key, session="")
            await self._commit(view.changes, whole=False)

    def _check_room(self, changes: Mapping[str, Entry | None]) -> None:
        more_keys, more_bytes = 0, 0
        for key, made in changes.items():
            known = self.entries.get(key)
            more_keys += (made is not None) - (known is not None)
            more_bytes += (len(made.value) if made else 0) - (len(known.value) if known else 0)
        if more_keys > 0 and len(self.entries) + more_keys > self._limits.keys:
            raise Refusal(413, f"the limit of {self._limits.keys} keys is reached")
        if more_bytes > 0 and self.entries.bytes + more_bytes > self._limits.total_bytes:
            raise Refusal(413, f"the limit of {self._limits.total_bytes} bytes is reached")

    async def _commit(self, changes: Mapping[str, Entry | None], *, whole: bool) -> None:
        if not changes:
            return
        if None in changes.values():
            await self._mark()
        if not whole or len(changes) == 1:
            await self._apply(changes)
            return
        self._begun = {}  # if what follows fails, it has not happened
        bodies = [entry.body() if entry else {"key": key} for key, entry in changes.items()]
        await self._documents.insert(TRANSACTIONS, _BEGUN, {"entries": bodies})
        self._begun = changes  # from here on it has
        await self._finish()

    async def _finish(self) -> None:
        """Bring a transaction to its end whose writes failed half-way."""
        if self._begun is None:
            return
        await self._apply(self._begun)
        await self._documents.delete(TRANSACTIONS, _BEGUN)
        self._begun = None

    async def _apply(self, changes: Mapping[str, Entry | None]) -> None:
        """Durable first; then others see it and are woken."""
        for key, entry in changes.items():
            await self._store(key, entry)
        for key, entry in changes.items():
            self.entries.set(key, entry)
            if entry is not None:
                self._indexes.set(("key", key), entry.modify_index)
            else:
                self._indexes.drop(("key", key))
        if changes:
            self._indexes.touch(KEYS_TOPIC)

    async def _mark(self) -> None:
        """Remember the newest index, which a deletion would take along: none may be given out twice."""
        body = {"index": self._indexes.last}
        try:
            known = await self._documents.get(MARKS, _MARK)
        except NotFound:
            await self._documents.insert(MARKS, _MARK, body)
        else:
            await self._documents.replace(MARKS, _MARK, body, version=known.version)

    async def _store(self, key: str, entry: Entry | None) -> None:
        document = _id(key)
        try:
            if key in self._uncertain:
                await self._learn_version(key)
            if entry is None:
                await self._documents.delete(KEYS, document)
                self._versions.pop(key, None)
            elif key in self._versions:
                version = self._versions[key]
                stored = await self._documents.replace(KEYS, document, entry.body(), version=version)
                self._versions[key] = stored.version
            else:
                self._versions[key] = (await self._documents.insert(KEYS, document, entry.body())).version
        except Conflict:
            raise Refusal(500, "another service-mesh writes to the same store") from None
        except Unavailable:
            self._uncertain.add(key)  # it may have been written nevertheless
            raise

    async def _learn_version(self, key: str) -> None:
        try:
            self._versions[key] = (await self._documents.get(KEYS, _id(key))).version
        except NotFound:
            self._versions.pop(key, None)
        self._uncertain.discard(key)


def _found(view: View, operation: Operation) -> tuple[Entry, ...]:
    if operation.verb == "get-tree":
        return tuple(view.below(operation.key))
    entry = None if operation.verb.startswith(("delete", "check")) else view.get(operation.key)
    return (entry,) if entry else ()


def _id(key: str) -> str:
    """A document's id for any key."""
    return hashlib.sha256(key.encode()).hexdigest()
