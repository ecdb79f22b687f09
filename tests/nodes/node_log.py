"""A log in memory with the acts of nodes and sessions in it, as the real one has them."""

from lucid.base.errors import NotFound
from lucid.crypto.merkle import root
from lucid.crypto.note import SignerKey, sign
from lucid.model.canonical import canonical_json, digest_of
from lucid.model.entry import SESSION_CLOSED, SESSION_OPENED, LogEntry
from lucid.model.node import NODE_AVAILABILITY, NODE_REGISTERED, NODE_REMOVED, NODE_STATE
from lucid.model.tlog import TILE_WIDTH, Checkpoint, encode_entries
from lucid.nodes.facts import NODE_ENTRIES, Fact, Work
from lucid.ports.log import TreeState

KEY = SignerKey.generate("log.example")
SESSION = "01900000-0000-7000-8000-{:012d}"


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> str:
    return f"2026-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00.000000Z"


class NodeLog:
    """Entries with their bodies. Also the ports LogStore, DataChain and Anchoring, as far as nodes need them, and
    lucid.nodes.statement.LogFiles."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.bodies: dict[str, bytes] = {}
        self.works: dict[int, Work] = {}
        self.now = at(1)

    def say(self, type: str, time: str, **subject: str) -> LogEntry:
        body = canonical_json({**subject, "type": type, "time": time})
        self.bodies[digest_of(body)] = body
        self.entries.append(LogEntry(type=type, time=time, actor="node-management", body=digest_of(body)))
        return self.entries[-1]

    def register(self, node: str, time: str, *recorders: str) -> None:
        self.say(NODE_REGISTERED, time, node=node, key="k", pool="default", recorders=",".join(recorders))

    def state(self, node: str, time: str, state: str) -> None:
        self.say(NODE_STATE, time, node=node, state=state)

    def remove(self, node: str, time: str) -> None:
        self.say(NODE_REMOVED, time, node=node)

    def hear(self, node: str, hour: str, heard: str, time: str = "") -> None:
        self.say(NODE_AVAILABILITY, time or hour, node=node, hour=hour, heard=heard)

    def open(self, recorder: str, sequence: int, time: str, closes_by: str) -> None:
        self._session(SESSION_OPENED, recorder, sequence, time, closes_by)

    def close(self, recorder: str, sequence: int, time: str, work: Work | None) -> None:
        self._session(SESSION_CLOSED, recorder, sequence, time, None)
        if work is not None:
            self.works[len(self.entries) - 1] = work

    def _session(self, type: str, recorder: str, sequence: int, time: str, closes_by: str | None) -> None:
        self.entries.append(
            LogEntry(
                type=type,
                time=time,
                actor="session-pipeline",
                body=digest_of(f"{recorder}{sequence}{type}".encode()),
                session=SESSION.format(sequence),
                recorder=recorder,
                sequence=sequence,
                closes_by=closes_by,
            )
        )

    def facts(self) -> list[Fact]:
        return [
            Fact(
                index=index,
                entry=entry.to_bytes().decode(),
                body=self.bodies[entry.body].decode() if entry.type in NODE_ENTRIES else "",
                work=self.works.get(index),
            )
            for index, entry in enumerate(self.entries)
        ]

    @property
    def checkpoint(self) -> str:
        tree = Checkpoint("log.example", len(self.entries), root(entry.to_bytes() for entry in self.entries))
        return sign(tree.to_text(), KEY)

    def read(self, path: str) -> bytes:
        number = int(path.removeprefix("tile/entries/").partition(".p/")[0].replace("/", "").replace("x", ""))
        part = self.entries[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
        if not part:
            raise NotFound(path)
        return encode_entries(entry.to_bytes() for entry in part)

    async def state_of(self) -> TreeState:
        return TreeState(size=len(self.entries), checkpoint=self.checkpoint)

    async def act(self, *, type: str, subject: dict[str, str], session: str | None = None) -> LogEntry:
        return self.say(type, self.now, **subject)

    async def tile(self, *, path: str) -> bytes:
        return self.read(path)

    async def get(self, *, digest: str) -> bytes:
        if digest not in self.bodies:
            raise NotFound(digest)
        return self.bodies[digest]
