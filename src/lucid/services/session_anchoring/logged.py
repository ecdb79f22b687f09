"""What the log itself says of a session, for when the documents do not."""

from lucid.base.ids import SessionId
from lucid.model.entry import SESSION_CLOSED, LogEntry
from lucid.model.tlog import TILE_WIDTH, decode_entries, entries_path
from lucid.ports.log import LogStore


async def closing_in_log(store: LogStore, session: SessionId, *, opened: int) -> tuple[int, LogEntry] | None:
    """Index and entry of the session's first closing behind its opening, the entry `opened`. Reads what was published
    since then: 256 entries, some 70 KB, at a time."""
    size = (await store.state()).size
    needle = session.encode()
    for number in range(opened // TILE_WIDTH, -(-size // TILE_WIDTH)):
        first = number * TILE_WIDTH
        bundle = await store.tile(path=entries_path(number, min(TILE_WIDTH, size - first)))
        if needle not in bundle:
            continue
        for index, data in enumerate(decode_entries(bundle), first):
            if index > opened and needle in data:
                entry = LogEntry.from_bytes(data)
                if (entry.type, entry.session) == (SESSION_CLOSED, session):
                    return index, entry
    return None
