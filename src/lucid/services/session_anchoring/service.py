"""Opening and closing entries of sessions, other acts, and proof bundles."""

import asyncio

from lucid.base.clock import Clock
from lucid.base.errors import Conflict, InvalidInput, NotFound
from lucid.base.ids import Name, SessionId
from lucid.chain.session_entries import closing_entry, opening_entry, prove_entry
from lucid.crypto.note import VerifierKey, open_note
from lucid.model.bundle import Bundle, ProvenEntry
from lucid.model.canonical import canonical_json, digest_of, first_problem
from lucid.model.chunk import ChunkRecord
from lucid.model.entry import LogEntry
from lucid.model.manifest import Manifest, OpeningStatement
from lucid.model.tlog import Checkpoint
from lucid.ports.log import DataChain, LogStore, LogWriter
from lucid.ports.stores import Documents
from lucid.services.session_anchoring.chunk_list import check_chunks, decode_chunks, encode_chunks
from lucid.services.session_anchoring.logged import closing_in_log
from lucid.services.session_anchoring.memory import CLOSINGS, OPENINGS, Anchored, Memory

ACTOR = "session-anchoring"


class SessionAnchoring:
    """Port Anchoring."""

    def __init__(
        self,
        *,
        writer: LogWriter,
        store: LogStore,
        bodies: DataChain,
        documents: Documents,
        verifier: VerifierKey,
        clock: Clock,
        actor: Name = "session-pipeline",
    ) -> None:
        self._writer = writer
        self._store = store
        self._bodies = bodies
        self._memory = Memory(documents)
        self._verifier = verifier
        self._clock = clock
        self._actor = actor

    async def opened(self, *, statement: OpeningStatement) -> int:
        await self._bodies.put(body=statement.to_bytes())
        entry = opening_entry(statement, actor=self._actor)
        anchored = await self._memory.settle(OPENINGS, statement.session, Anchored(entry=entry.to_bytes().decode()))
        if anchored.parsed().body != entry.body:
            raise Conflict(f"session {statement.session} was opened with another statement")
        return await self._send(OPENINGS, statement.session, anchored)

    async def closed(self, *, manifest: Manifest, chunks: list[ChunkRecord]) -> int:
        await asyncio.to_thread(check_chunks, manifest, chunks)
        opened = await self._check_opened(manifest)
        await self._bodies.put(body=manifest.to_bytes())
        listed = await self._bodies.put(body=await asyncio.to_thread(encode_chunks, chunks))
        entry = closing_entry(manifest, now=self._clock.now(), actor=self._actor)
        anchored = Anchored(entry=entry.to_bytes().decode(), chunks=listed)
        if not await self._memory.has(CLOSINGS, manifest.session):
            anchored = await self._closed_before(manifest, anchored, opened)
        anchored = await self._memory.settle(CLOSINGS, manifest.session, anchored)
        if (anchored.parsed().body, anchored.chunks) != (entry.body, listed):
            raise Conflict(f"session {manifest.session} was closed with another manifest or chunk list")
        return await self._send(CLOSINGS, manifest.session, anchored)

    async def _closed_before(self, manifest: Manifest, made: Anchored, opened: int) -> Anchored:
        """`made`, or the closing that the log has already: the documents may be older than the log, because they were
        restored from a copy, and a second closing would contradict the first for ever."""
        found = await closing_in_log(self._store, manifest.session, opened=opened)
        if found is None:
            return made
        index, entry = found
        if entry.body != made.parsed().body:
            raise Conflict(
                f"session {manifest.session} was closed in the log (entry {index}) with another manifest; "
                "are the documents an older copy?"
            )
        return made.model_copy(update={"entry": entry.to_bytes().decode(), "index": index})

    async def _check_opened(self, manifest: Manifest) -> int:
        """The index of the session's opening."""
        try:
            opening = await self._memory.get(OPENINGS, manifest.session)
        except NotFound:
            raise Conflict(f"session {manifest.session} has no opening in the log") from None
        entry = opening.parsed()
        if (entry.recorder, entry.sequence) != (manifest.recorder.id, manifest.recorder.sequence):
            raise Conflict(f"session {manifest.session} was opened by another recorder or under another number")
        return await self._send(OPENINGS, manifest.session, opening)

    async def _send(self, collection: str, session: SessionId, anchored: Anchored) -> int:
        if anchored.index is not None:
            return anchored.index
        index = await self._writer.append(entry=anchored.entry.encode())
        return await self._memory.number(collection, session, index)

    async def bundle(self, *, session: SessionId, wait_s: float) -> bytes:
        opening = await self._memory.get(OPENINGS, session)
        closing = await self._memory.get(CLOSINGS, session)
        if opening.index is None or closing.index is None or closing.chunks is None:
            raise NotFound(f"session {session} is not closed in the log yet")
        checkpoint = await self._writer.included(index=closing.index, wait_s=wait_s)
        tree = Checkpoint.from_text(open_note(checkpoint, self._verifier))
        statement, manifest, chunks = await asyncio.gather(
            self._bodies.get(digest=opening.parsed().body),
            self._bodies.get(digest=closing.parsed().body),
            self._bodies.get(digest=closing.chunks),
        )
        bundle = Bundle(
            manifest=Manifest.from_bytes(manifest),
            opening=OpeningStatement.from_bytes(statement),
            chunks=await asyncio.to_thread(decode_chunks, chunks),
            opened=await self._prove(opening.entry.encode(), opening.index, tree, checkpoint),
            closed=await self._prove(closing.entry.encode(), closing.index, tree, checkpoint),
            block=await self._store.block_of_size(size=tree.size),
        )
        return await asyncio.to_thread(bundle.to_bytes)

    async def _prove(self, entry: bytes, index: int, tree: Checkpoint, checkpoint: str) -> ProvenEntry:
        path = [bytes.fromhex(value) for value in await self._store.inclusion(index=index, size=tree.size)]
        return prove_entry(entry, index, path, tree, checkpoint)

    async def act(self, *, type: str, subject: dict[str, str], session: SessionId | None = None) -> LogEntry:
        time = self._clock.now()
        named = {} if session is None else {"session": session}
        body = canonical_json({**subject, **named, "type": type, "time": time})
        # Acts of people say `user`; who it was stands in the body, which can be deleted.
        actor = "user" if "actor" in subject else ACTOR
        try:
            entry = LogEntry(type=type, time=time, actor=actor, body=digest_of(body), session=session)
        except ValueError as error:
            raise InvalidInput(f"act: {first_problem(error)}") from None
        await self._bodies.put(body=body)
        await self._writer.append(entry=entry.to_bytes())
        return entry
