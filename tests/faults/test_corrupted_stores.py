"""Bytes of each store flipped at rest: a clear message that names the file, and nothing is deleted."""

from pathlib import Path

import pytest
from structlog.typing import EventDict

from lucid.base.errors import Corrupted
from lucid.model.session import EndReason
from lucid.ports.log import LogStore
from lucid.ports.recording import Storage
from lucid.runtime.export import export_session
from tests.faults.conftest import platform_on
from tests.faults.installation import Installation, running
from tests.faults.marked import marked_pictures
from tests.faults.proof import only_session, verified
from tests.flow.conftest import connect, desktop


def flip(path: Path, at: float = 0.5) -> bytes:
    """Turn the byte at that part of the file; returns the file's bytes as they are now."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    path.write_bytes(data)
    return bytes(data)


async def recorded(data: Path) -> None:
    """One proven session on `data`."""
    async with platform_on(data) as platform, desktop(platform, marked_pictures(20)):
        async with await connect(platform) as client:
            await client.wait_closed()
        await only_session(platform)


async def test_documents(tmp_path: Path) -> None:
    await recorded(tmp_path / "data")
    database = tmp_path / "data" / "lucid-mongodb" / "documents.sqlite"
    page = database.read_bytes().index(b'"state"') // 4096
    data = bytearray(database.read_bytes())
    data[page * 4096 : page * 4096 + 100] = bytes(100)
    database.write_bytes(data)
    with pytest.raises(Corrupted, match=str(database)):
        async with platform_on(tmp_path / "data"):
            pass
    assert database.read_bytes() == data


@pytest.mark.parametrize("tile", ["tile/0/000.p", "tile/entries/000.p"])
async def test_the_newest_tile_of_the_log(tmp_path: Path, tile: str) -> None:
    await recorded(tmp_path / "data")
    (path,) = (tmp_path / "data" / "block-manager" / tile).iterdir()
    damaged = flip(path)
    with pytest.raises(Corrupted, match=tile):
        async with platform_on(tmp_path / "data"):
            pass
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("file", "named"), [("tile/0/000.p", "tile/0/000.p"), ("tile/entries/000.p", "entry"), ("block/000", "block/000")]
)
async def test_the_log_while_it_runs(tmp_path: Path, file: str, named: str) -> None:
    async with platform_on(tmp_path / "data") as platform, desktop(platform, marked_pictures(20)):
        async with await connect(platform) as client:
            await client.wait_closed()
        await only_session(platform)
        path = platform.data.of("block-manager") / file
        flip(path if path.is_file() else next(path.iterdir()))
        problems = (await platform.port(LogStore).fsck()).problems
        assert any(named in problem for problem in problems), problems


async def test_a_stored_chunk(tmp_path: Path) -> None:
    async with platform_on(tmp_path / "data") as platform, desktop(platform, marked_pictures(20)):
        async with await connect(platform) as client:
            await client.wait_closed()
        session = await only_session(platform)
        (chunk,) = session.chunks
        path = platform.data.of("session-storage") / chunk.digest[:2] / chunk.digest
        damaged = flip(path)
        with pytest.raises(Corrupted, match=chunk.digest):
            await export_session(platform, session.id, tmp_path / "export")
        assert (await platform.port(Storage).scrub()).damaged == (chunk.digest,)
        assert path.read_bytes() == damaged
        path.unlink()
        with pytest.raises(Corrupted, match=f"chunk 0 of the recording is lost or damaged: no blob {chunk.digest}"):
            await export_session(platform, session.id, tmp_path / "export")


async def test_a_journal(tmp_path: Path) -> None:
    """Damaged between a crash and the next start: the recording ends before the damage, and says so."""
    installation = Installation(tmp_path)
    async with running(installation) as platform, desktop(platform, marked_pictures(1000)):
        client = await connect(platform)
        await client.wait_received(300_000)
        await installation.kill()
        await client.wait_closed()
    (log,) = (installation.data.of("session-recorder") / "journal").glob("*.log")
    flip(log, 0.3)
    async with running(installation) as platform:
        session = await only_session(platform)
        assert session.end is not None
        assert session.end.reason is EndReason.STORE_CORRUPTED
        assert "segment 0" in session.end.detail
        await verified(platform, installation.data, session.id, tmp_path / "export")
    messages = [event for event in installation.events() if event["event"] == "journal damaged"]
    assert {message["session"] for message in messages} == {session.id}
    assert all("segment 0: record" in message["error"] for message in messages)


async def test_a_recorder_state(tmp_path: Path) -> None:
    await recorded(tmp_path / "data")
    state = tmp_path / "data" / "session-recorder" / "recorder.json"
    damaged = flip(state)
    with pytest.raises(Corrupted, match=r"recorder\.json"):
        async with platform_on(tmp_path / "data"):
            pass
    assert state.read_bytes() == damaged


async def test_nothing_is_logged_as_unexpected(tmp_path: Path, logged: list[EventDict]) -> None:
    await recorded(tmp_path / "data")
    assert not [event for event in logged if event["log_level"] in ("error", "critical")]
