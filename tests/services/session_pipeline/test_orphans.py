"""Chunks that a crash left behind are deleted, and no others."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.base.ids import new_session_id
from lucid.model.chunk import ChunkHeader
from lucid.services.session_pipeline.orphans import Orphans
from lucid.services.session_pipeline.store import SessionStore
from tests.services.session_pipeline.pipeline_kit import (
    CLOSED,
    GRANT,
    FakeLog,
    RecordingPath,
    eventually,
    frame_bytes,
)


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[RecordingPath]:
    path = RecordingPath(tmp_path, FakeLog())
    await path.start()
    yield path
    await path.stop()


async def proven_session(path: RecordingPath) -> tuple[str, list[str]]:
    """A proven session and the digests of its chunks."""
    session = (await path.pipeline.open(grant=GRANT)).session
    for number in range(3):
        await path.recorder.append(session=session, frames=frame_bytes(number, 70_000))
    await path.pipeline.end(session=session, end=CLOSED)
    _, chunks = await path.proven(session)
    return session, [chunk.digest for chunk in chunks]


async def left_behind(path: RecordingPath, like: str, **changes: object) -> str:
    """Store a chunk as a repeated sealing would make it: like another, with `changes` in its header."""
    data = await path.storage.get(digest=like)
    header = dataclasses.replace(ChunkHeader.from_bytes(data), **changes)  # type: ignore[arg-type]
    return await path.storage.put(chunk=header.to_bytes() + data[100:])


def orphans_of(path: RecordingPath) -> Orphans:
    return Orphans(SessionStore(path.documents, path.bus), path.storage, interval_s=0)  # type: ignore[arg-type]


async def test_only_what_another_chunk_of_a_proven_session_replaced_is_deleted(path: RecordingPath) -> None:
    session, chunks = await proven_session(path)
    running = (await path.pipeline.open(grant=GRANT)).session
    kept = {
        *chunks,
        await left_behind(path, chunks[0], attempt=9, session=running),
        await left_behind(path, chunks[0], attempt=9, session=new_session_id()),
        await left_behind(path, chunks[0], attempt=9, index=len(chunks)),
    }
    gone = {await left_behind(path, digest, attempt=9) for digest in chunks}
    damaged = await left_behind(path, chunks[0], attempt=10)
    file = path.root / "chunks" / damaged[:2] / damaged
    file.write_bytes(file.read_bytes()[:-1])
    assert await orphans_of(path).sweep() == len(gone)
    assert set(await path.storage.digests()) == kept | {damaged}
    assert await orphans_of(path).sweep() == 0
    assert [chunk.digest for chunk in (await path.pipeline.get(session=session)).chunks] == chunks


async def test_the_pipeline_sweeps_by_itself(path: RecordingPath) -> None:
    _, chunks = await proven_session(path)
    orphan = await left_behind(path, chunks[0], attempt=9)
    path.sweep_interval_s = 0.01
    await path.restart_pipeline()
    await eventually(path.storage.digests, lambda found: orphan not in found)
    assert set(await path.storage.digests()) == set(chunks)
