"""What session-anchoring remembers of a session's entries, so that a repeated call sends the same bytes."""

from lucid.base.errors import Conflict, NotFound
from lucid.base.ids import SessionId
from lucid.base.value import Value
from lucid.model.canonical import Digest
from lucid.model.entry import LogEntry
from lucid.ports.stores import Documents

OPENINGS = "anchored_openings"
CLOSINGS = "anchored_closings"


class Anchored(Value):
    """An entry of a session as it was or will be sent; `index` is None until the log has acknowledged it.
    `chunks` is the digest of the chunk list, for closings."""

    entry: str
    index: int | None = None
    chunks: Digest | None = None

    def parsed(self) -> LogEntry:
        return LogEntry.from_bytes(self.entry.encode())


class Memory:
    """Anchored entries in Documents, one collection for openings and one for closings, by session."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def get(self, collection: str, session: SessionId) -> Anchored:
        """Raises NotFound."""
        return Anchored.model_validate((await self._documents.get(collection, session)).body)

    async def has(self, collection: str, session: SessionId) -> bool:
        try:
            await self.get(collection, session)
        except NotFound:
            return False
        return True

    async def settle(self, collection: str, session: SessionId, made: Anchored) -> Anchored:
        """The remembered entry, or else `made`, remembered now. The first of several wins."""
        try:
            await self._documents.insert(collection, session, made.model_dump(mode="json"))
        except Conflict:
            return await self.get(collection, session)
        return made

    async def number(self, collection: str, session: SessionId, index: int) -> int:
        """Remember the index that the log gave, and return the one that counts: the first that was remembered."""
        stored = await self._documents.get(collection, session)
        anchored = Anchored.model_validate(stored.body)
        if anchored.index is not None:
            return anchored.index
        body = anchored.model_copy(update={"index": index}).model_dump(mode="json")
        try:
            await self._documents.replace(collection, session, body, version=stored.version)
        except Conflict:
            return await self.number(collection, session, index)
        return index
