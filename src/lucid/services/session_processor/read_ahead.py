"""The segments that will be asked for next, packed while the chunk before them is stored."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from lucid.base.errors import LucidError, NotFound
from lucid.base.ids import SessionId
from lucid.base.tasks import Tasks
from lucid.recording.sealing import PackedSegment

_log = structlog.get_logger()

Pack = Callable[[bytes, SessionId, int, bool], Awaitable[PackedSegment]]
"""From data key, session, segment number, and whether to keep the client's frames, the same for a whole session."""


class ReadAhead:
    """Packs up to `depth` segments behind the one being sealed, as far as the recorder has closed them.

    `pack` reads and compresses one segment. At most `limit` results are kept, the oldest are dropped first: a
    session that is not continued costs a little memory and nothing else.
    """

    def __init__(self, pack: Pack, *, depth: int, limit: int) -> None:
        self._pack = pack
        self._depth = depth
        self._limit = limit
        self._tasks = Tasks("read-ahead")
        self._packing: OrderedDict[tuple[SessionId, int], asyncio.Task[PackedSegment | None]] = OrderedDict()

    async def take(self, data_key: bytes, session: SessionId, number: int, client: bool) -> PackedSegment:
        """The packed segment, from before or made now; the next ones are begun. Raises what `pack` raises."""
        ahead = self._packing.pop((session, number), None)
        for later in range(number + 1, number + 1 + self._depth):
            self._begin(data_key, session, later, client)
        found = await ahead if ahead is not None else None
        return found or await self._pack(data_key, session, number, client)

    def _begin(self, data_key: bytes, session: SessionId, number: int, client: bool) -> None:
        if (session, number) in self._packing:
            return
        while len(self._packing) >= self._limit:
            self._packing.popitem(last=False)[1].cancel()
        task = self._tasks.spawn(self._try(data_key, session, number, client), name=f"{session} {number}")
        self._packing[session, number] = task

    async def _try(self, data_key: bytes, session: SessionId, number: int, client: bool) -> PackedSegment | None:
        """None when the segment is not there yet, or does not pack: whoever needs it tries again and is told."""
        try:
            return await self._pack(data_key, session, number, client)
        except NotFound:
            pass
        except LucidError as error:
            _log.debug("not read ahead", session=session, segment=number, error=error.detail)
        self._packing.pop((session, number), None)
        return None

    def __len__(self) -> int:
        """How many packed or being packed are kept."""
        return len(self._packing)

    async def close(self) -> None:
        """Cancel what is being packed."""
        self._packing.clear()
        await self._tasks.close()
