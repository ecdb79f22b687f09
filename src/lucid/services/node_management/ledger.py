"""The entries of the log that count, read once and kept by month."""

import asyncio
from collections.abc import Iterator

import structlog

from lucid.base.errors import Conflict, InvalidInput, NotFound, Unavailable
from lucid.model.entry import SESSION_CLOSED, LogEntry
from lucid.model.tlog import TILE_WIDTH, decode_entries, entries_path
from lucid.nodes.facts import COUNTED, NODE_ENTRIES, Fact, Work, counts, work_of
from lucid.ports.log import DataChain, LogStore, TreeState
from lucid.ports.stores import Documents

FACTS, CURSOR = "node_facts", "node_cursor"
_PAGE = 500

_log = structlog.get_logger()


class Ledger:
    """Follows the log. It holds nothing that cannot be read from the log again."""

    def __init__(self, *, documents: Documents, store: LogStore, bodies: DataChain) -> None:
        self._documents = documents
        self._store = store
        self._bodies = bodies
        self._reading = asyncio.Lock()

    async def catch_up(self) -> TreeState:
        """Read what is new; the state up to which everything is read then."""
        async with self._reading:
            state = await self._store.state()
            position = await self._position()
            while position < state.size:
                number, skip = divmod(position, TILE_WIDTH)
                width = min(TILE_WIDTH, state.size - number * TILE_WIDTH)
                data = await self._store.tile(path=entries_path(number, width))
                for index, entry in _numbered(data, number * TILE_WIDTH, skip, width):
                    await self._keep(index, entry)
                position = number * TILE_WIDTH + width
                await self._set_position(position)
            return state

    async def facts(self, size: int, end: str) -> list[Fact]:
        """All facts among the first `size` entries that count up to the month that ends at `end`, in order."""
        found: list[Fact] = []
        after = None
        while page := await self._documents.find(FACTS, after=after, limit=_PAGE):
            after = page[-1].id
            found += [
                Fact.model_validate(stored.body["fact"])
                for stored in page
                if counts(stored.body["type"], stored.body["time"], end)
            ]
        return [fact for fact in found if fact.index < size]

    async def _keep(self, index: int, data: bytes) -> None:
        try:
            entry = LogEntry.from_bytes(data)
        except InvalidInput as error:
            _log.warning("entry not understood", index=index, detail=error.detail)
            return
        if entry.type not in COUNTED:
            return
        fact = Fact(
            index=index,
            entry=data.decode(),
            body=(await self._bodies.get(digest=entry.body)).decode() if entry.type in NODE_ENTRIES else "",
            work=await self._work(entry) if entry.type == SESSION_CLOSED else None,
        )
        body = {"type": entry.type, "time": entry.time, "fact": fact.model_dump(mode="json")}
        try:
            await self._documents.insert(FACTS, f"{index:012d}", body)
        except Conflict:
            return  # kept before a crash

    async def _work(self, entry: LogEntry) -> Work | None:
        try:
            return work_of(await self._bodies.get(digest=entry.body))
        except NotFound:
            return None  # the recording was deleted

    async def _position(self) -> int:
        try:
            return int((await self._documents.get(CURSOR, CURSOR)).body["position"])
        except NotFound:
            return 0

    async def _set_position(self, position: int) -> None:
        try:
            stored = await self._documents.get(CURSOR, CURSOR)
        except NotFound:
            await self._documents.insert(CURSOR, CURSOR, {"position": position})
            return
        try:
            await self._documents.replace(CURSOR, CURSOR, {"position": position}, version=stored.version)
        except Conflict:
            raise Unavailable("another node-management reads the log") from None


def _numbered(data: bytes, first: int, skip: int, width: int) -> Iterator[tuple[int, bytes]]:
    for offset, entry in enumerate(decode_entries(data)[:width]):
        if offset >= skip:
            yield first + offset, entry
