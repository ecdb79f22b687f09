"""session-anchoring: one opening, one closing, one bundle, whatever is repeated or breaks in between."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lucid.base.clock import SystemClock, shift_time
from lucid.base.errors import Conflict, Corrupted, InvalidInput, NotFound, Unavailable
from lucid.crypto.merkle import leaf_hash, root, verify_inclusion
from lucid.crypto.note import open_note
from lucid.crypto.proof import TlogProof
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.model.bundle import Bundle, ProvenEntry
from lucid.model.canonical import digest_of
from lucid.model.chunk import ChunkRecord
from lucid.model.entry import LogEntry
from lucid.model.manifest import ByteCounts, ChunkTree, Manifest, OpeningStatement
from lucid.model.session import EndReason, RecorderNumber, SessionEnd
from lucid.model.tlog import Block, Checkpoint
from lucid.ports.log import Anchoring, DataChain, LogStore, LogWriter
from lucid.ports.service import Ports
from lucid.ports.stores import Documents, Json, Stored
from lucid.services.block_manager.service import BlockManager
from lucid.services.blockchain_engine.service import BlockchainEngine
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings
from lucid.services.data_chain.service import DataChainService
from lucid.services.session_anchoring.app import create
from lucid.services.session_anchoring.service import SessionAnchoring
from lucid.services.session_anchoring.settings import SessionAnchoringSettings
from tests.chain.memory_folder import SIGNER, SKEY, VERIFIER, MemoryFolder, manager_of

SESSION = "01932a5c-7b1e-7c3d-8e4f-1a2b3c4d5e6f"
OTHER = "01932a5c-7b1e-7c3d-8e4f-1a2b3c4d5e70"
OPENED = "2026-11-22T21:42:00.000000Z"
CLOSED = "2026-11-22T21:44:10.113000Z"
RECORDER = RecorderNumber(id="rec-1", sequence=41)


class MemoryDocuments:
    """Documents in memory, as far as anchoring uses them; `fail_next` breaks one write, before or after it."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Stored] = {}
        self.fail_next = ""

    async def insert(self, collection: str, id: str, body: Json) -> Stored:
        await asyncio.sleep(0)
        if (collection, id) in self.found:
            raise Conflict(id)
        return self._put(collection, id, 1, body)

    async def get(self, collection: str, id: str) -> Stored:
        await asyncio.sleep(0)
        if (collection, id) not in self.found:
            raise NotFound(id)
        return self.found[collection, id]

    async def replace(self, collection: str, id: str, body: Json, *, version: int) -> Stored:
        await asyncio.sleep(0)
        if self.fail_next == "replace":
            self.fail_next = ""
            raise Unavailable("documents are away")
        if (await self.get(collection, id)).version != version:
            raise Conflict(id)
        return self._put(collection, id, version + 1, body)

    def _put(self, collection: str, id: str, version: int, body: Json) -> Stored:
        self.found[collection, id] = Stored(id, version, json.loads(json.dumps(body)))
        return self.found[collection, id]


@dataclass
class Platform:
    anchoring: SessionAnchoring
    engine: BlockchainEngine
    manager: BlockManager
    documents: MemoryDocuments
    bodies: DataChainService

    async def entries(self) -> list[LogEntry]:
        size = (await self.manager.state()).size
        return [LogEntry.from_bytes(await self.manager.entry(index=n)) for n in range(size)]


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    manager = await manager_of(MemoryFolder())
    engine = BlockchainEngine(
        BlockchainEngineSettings(log_key=SKEY, slot_ms=1, recent_entries=1),
        store=manager,
        folder=MemoryFolder(),
        signer=SIGNER,
        clock=SystemClock(),
    )
    bodies = DataChainService(blobs=DiskBlobs(tmp_path), max_body_bytes=1_000_000)
    documents = MemoryDocuments()
    bound: dict[type, object] = {LogWriter: engine, LogStore: manager, DataChain: bodies, Documents: documents}
    app = create(SessionAnchoringSettings(log_key=VERIFIER.format()), Ports(bound))
    anchoring = app.provides[Anchoring]
    assert isinstance(anchoring, SessionAnchoring)
    await engine.start()
    yield Platform(anchoring, engine, manager, documents, bodies)
    await engine.stop()


def statement(**changed: object) -> OpeningStatement:
    whole = OpeningStatement(
        session=SESSION,
        user="admin",
        host="demo",
        policy=digest_of(b"policy"),
        recorder=RECORDER,
        opened=OPENED,
        closes_by="2026-11-23T05:57:00.000000Z",
    )
    return whole.model_copy(update=changed)


def chunks() -> list[ChunkRecord]:
    return [
        ChunkRecord(
            digest=digest_of(b"%d" % n),
            size=100 + n,
            index=n,
            attempt=0,
            first_us=n * 1000,
            last_us=n * 1000 + 900,
            frames=5,
            length=300,
        )
        for n in range(3)
    ]


def manifest(**changed: object) -> Manifest:
    listed = chunks()
    whole = Manifest(
        session=SESSION,
        user="admin",
        host="demo",
        policy=digest_of(b"policy"),
        recorder=RECORDER,
        opened=OPENED,
        closed=CLOSED,
        end=SessionEnd(reason=EndReason.CLIENT_CLOSED),
        duration_us=2900,
        frames=15,
        bytes=ByteCounts(recorded=900, stored=303),
        chunks=ChunkTree(count=3, root=root(chunk.to_bytes() for chunk in listed).hex()),
        keys=(),
    )
    return whole.model_copy(update=changed)


def check_proof(proven: ProvenEntry) -> tuple[int, Checkpoint, str]:
    proof = TlogProof.from_text(proven.proof)
    tree = Checkpoint.from_text(open_note(proof.checkpoint, VERIFIER))
    leaf = leaf_hash(base64.b64decode(proven.entry))
    assert verify_inclusion(leaf, proof.index, tree.size, proof.path, tree.root)
    return proof.index, tree, proof.checkpoint


async def test_a_session_from_opening_to_bundle(platform: Platform) -> None:
    assert await platform.anchoring.opened(statement=statement()) == 0
    assert await platform.anchoring.closed(manifest=manifest(), chunks=chunks()) == 1
    data = await platform.anchoring.bundle(session=SESSION, wait_s=5)
    bundle = Bundle.from_bytes(data)
    assert (bundle.manifest, bundle.opening, list(bundle.chunks)) == (manifest(), statement(), chunks())
    first, tree, note = check_proof(bundle.opened)
    second, _, same = check_proof(bundle.closed)
    assert (first, second, note) == (0, 1, same)
    block = Block.from_text(open_note(bundle.block, VERIFIER))
    assert (block.size, block.root) == (tree.size, tree.root)


async def test_the_entries_say_what_the_format_asks_for(platform: Platform) -> None:
    await platform.anchoring.opened(statement=statement())
    await platform.anchoring.closed(manifest=manifest(), chunks=chunks())
    await platform.engine.included(index=1, wait_s=5)
    opening, closing = await platform.entries()
    assert opening == LogEntry(
        type="session.opened",
        time=OPENED,
        actor="session-pipeline",
        body=statement().digest(),
        session=SESSION,
        recorder="rec-1",
        sequence=41,
        closes_by=statement().closes_by,
    )
    assert (closing.type, closing.body, closing.closes_by) == ("session.closed", manifest().digest(), None)
    assert (closing.session, closing.recorder, closing.sequence) == (SESSION, "rec-1", 41)
    assert closing.time >= CLOSED


async def test_a_closing_is_not_before_the_end_of_the_session(platform: Platform) -> None:
    late = shift_time(SystemClock().now(), 3600)  # the clock stepped back meanwhile
    await platform.anchoring.opened(statement=statement())
    index = await platform.anchoring.closed(manifest=manifest(closed=late), chunks=chunks())
    await platform.engine.included(index=index, wait_s=5)
    assert (await platform.entries())[1].time == late


async def test_repeated_calls_give_the_same_entries(platform: Platform) -> None:
    opened = await asyncio.gather(*(platform.anchoring.opened(statement=statement()) for _ in range(4)))
    assert set(opened) == {0}
    closed = await asyncio.gather(*(platform.anchoring.closed(manifest=manifest(), chunks=chunks()) for _ in range(4)))
    assert set(closed) == {1}
    assert await platform.anchoring.opened(statement=statement()) == 0
    await platform.engine.included(index=1, wait_s=5)
    assert len(await platform.entries()) == 2


async def test_a_crash_before_the_index_is_remembered_repeats_the_entry_to_the_letter(platform: Platform) -> None:
    await platform.anchoring.opened(statement=statement())
    platform.documents.fail_next = "replace"
    with pytest.raises(Unavailable):
        await platform.anchoring.closed(manifest=manifest(), chunks=chunks())
    await platform.anchoring.act(type="host.added", subject={"host": "x"})  # so that the engine forgets the closing
    again = await platform.anchoring.closed(manifest=manifest(), chunks=chunks())
    await platform.engine.included(index=again, wait_s=5)
    entries = [await platform.manager.entry(index=n) for n in range(again + 1)]
    assert entries[1] == entries[again]
    Bundle.from_bytes(await platform.anchoring.bundle(session=SESSION, wait_s=5))


async def test_documents_older_than_the_log_close_no_session_twice(platform: Platform) -> None:
    """The documents alone were restored from a copy made between opening and closing."""
    anchoring, documents = platform.anchoring, platform.documents
    for number in range(300):  # so that opening and closing are in different bundles
        await anchoring.act(type="host.added", subject={"host": f"h{number}"})
        if number == 100:
            await anchoring.opened(statement=statement())
            copy = dict(documents.found)
    index = await anchoring.closed(manifest=manifest(), chunks=chunks())
    await anchoring.act(type="host.added", subject={"host": "x"})
    await platform.engine.included(index=index + 1, wait_s=5)
    before = await platform.entries()

    documents.found = dict(copy)
    with pytest.raises(Conflict, match=f"entry {index}\\) with another manifest"):
        await anchoring.closed(manifest=manifest(user="eve"), chunks=chunks())
    assert await anchoring.closed(manifest=manifest(), chunks=chunks()) == index
    assert await anchoring.closed(manifest=manifest(), chunks=chunks()) == index
    assert await platform.entries() == before
    bundle = Bundle.from_bytes(await anchoring.bundle(session=SESSION, wait_s=5))
    assert check_proof(bundle.closed)[0] == index


async def test_a_closing_anchors_an_opening_that_was_cut_off(platform: Platform) -> None:
    platform.documents.fail_next = "replace"
    with pytest.raises(Unavailable):
        await platform.anchoring.opened(statement=statement())
    assert await platform.anchoring.closed(manifest=manifest(), chunks=chunks()) == 1
    bundle = Bundle.from_bytes(await platform.anchoring.bundle(session=SESSION, wait_s=5))
    assert check_proof(bundle.opened)[0] == 0


async def test_contradictions_are_refused(platform: Platform) -> None:
    anchoring = platform.anchoring
    with pytest.raises(Conflict, match="no opening"):
        await anchoring.closed(manifest=manifest(), chunks=chunks())
    await anchoring.opened(statement=statement())
    with pytest.raises(Conflict, match="another statement"):
        await anchoring.opened(statement=statement(user="eve"))
    with pytest.raises(Conflict, match="another recorder"):
        await anchoring.closed(manifest=manifest(recorder=RecorderNumber(id="rec-1", sequence=42)), chunks=chunks())
    await anchoring.closed(manifest=manifest(), chunks=chunks())
    with pytest.raises(Conflict, match="another manifest"):
        await anchoring.closed(manifest=manifest(user="eve"), chunks=chunks())


async def test_chunks_that_the_manifest_does_not_commit_to_are_refused(platform: Platform) -> None:
    await platform.anchoring.opened(statement=statement())
    good = chunks()
    for wrong in (
        [],
        good[:2],
        good[::-1],
        [*good[:2], good[2].model_copy(update={"digest": digest_of(b"x")})],
        [*good[:2], good[2].model_copy(update={"size": 1})],
        [*good[:2], good[2].model_copy(update={"length": 1})],
        [*good[:2], good[2].model_copy(update={"frames": 1})],
        [*good[:2], good[2].model_copy(update={"last_us": 3000})],
        [*good[:2], good[2].model_copy(update={"first_us": 0})],
        [*good[:2], good[2].model_copy(update={"first_us": 2950})],
        [*good[:2], good[2].model_copy(update={"size": 2**27})],
    ):
        with pytest.raises(InvalidInput, match="chunks"):
            await platform.anchoring.closed(manifest=manifest(), chunks=wrong)


async def test_a_session_without_chunks(platform: Platform) -> None:
    empty = manifest(
        frames=0,
        duration_us=0,
        bytes=ByteCounts(recorded=0, stored=0),
        chunks=ChunkTree(count=0, root=root([]).hex()),
    )
    await platform.anchoring.opened(statement=statement())
    await platform.anchoring.closed(manifest=empty, chunks=[])
    assert Bundle.from_bytes(await platform.anchoring.bundle(session=SESSION, wait_s=5)).chunks == ()


async def test_no_bundle_before_the_closing(platform: Platform) -> None:
    with pytest.raises(NotFound):
        await platform.anchoring.bundle(session=OTHER, wait_s=0)
    await platform.anchoring.opened(statement=statement())
    with pytest.raises(NotFound):
        await platform.anchoring.bundle(session=SESSION, wait_s=0)


async def test_a_bundle_waits_for_the_log(platform: Platform) -> None:
    await platform.anchoring.opened(statement=statement())
    await platform.anchoring.closed(manifest=manifest(), chunks=chunks())
    stored = platform.documents.found["anchored_closings", SESSION]
    body = stored.body | {"index": 10**9}
    platform.documents.found["anchored_closings", SESSION] = Stored(SESSION, stored.version, body)
    with pytest.raises(Unavailable):
        await platform.anchoring.bundle(session=SESSION, wait_s=0.01)


async def test_no_bundle_leaves_that_would_not_verify(platform: Platform) -> None:
    await platform.anchoring.opened(statement=statement())
    await platform.anchoring.closed(manifest=manifest(), chunks=chunks())
    stored = platform.documents.found["anchored_openings", SESSION]
    platform.documents.found["anchored_openings", SESSION] = Stored(SESSION, 9, stored.body | {"index": 1})
    with pytest.raises(Corrupted, match="entry 1"):
        await platform.anchoring.bundle(session=SESSION, wait_s=5)


async def test_another_act(platform: Platform) -> None:
    made = await platform.anchoring.act(
        type="recording.exported", subject={"actor": "admin", "format": "bundle"}, session=SESSION
    )
    assert (made.type, made.actor, made.session) == ("recording.exported", "user", SESSION)
    body = json.loads(await platform.bodies.get(digest=made.body))
    assert body == {
        "actor": "admin",
        "format": "bundle",
        "session": SESSION,
        "time": made.time,
        "type": "recording.exported",
    }
    added = await platform.anchoring.act(type="host.added", subject={"host": "demo"})
    assert (added.actor, added.session) == ("session-anchoring", None)
    await platform.engine.included(index=1, wait_s=5)
    assert await platform.entries() == [made, added]
    with pytest.raises(InvalidInput, match="type"):
        await platform.anchoring.act(type="NOT A TYPE", subject={})
