"""What is typed is kept where the policy allows it: once, whatever breaks, and until it is to be forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lucid.base.errors import Conflict, NotFound
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.model.frame import Direction, Frame, encode_frames
from lucid.model.host import Grant
from lucid.model.policy import Policy
from lucid.ports.recording import Processor
from lucid.ports.stores import Documents
from lucid.services.session_pipeline.typed_store import TYPED_TEXT, TYPING
from lucid.wire.rdp.client import ClientHandshake
from tests.services.session_pipeline.pipeline_kit import CLOSED, GRANT, FakeLog, RecordingPath, eventually
from tests.services.session_pipeline.test_pipeline_crash import Countdown

ALLOWED = Grant(user="ann", host="demo", policy=Policy(total_limit_s=3600, index_typed_text=True))
CLIENT = ClientHandshake(username="", password=Secret(""))
SEGMENT = 70_000
"""Bytes of the host's that fill a segment."""
INITIAL = (Path(__file__).parents[2] / "wire" / "golden" / "freerdp_connect_initial.bin").read_bytes()
GERMAN = INITIAL.replace(b"\x09\x04\0\0", b"\x07\x04\0\0")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[RecordingPath]:
    path = RecordingPath(tmp_path, FakeLog())
    await path.start()
    yield path
    await path.stop()


def typed(number: int, data: bytes) -> bytes:
    """What a client sends at `number` seconds, and enough from the host to fill the segment."""
    at = 1_000_000 * number
    return encode_frames(
        [Frame(at, Direction.CLIENT_TO_SERVER, data), Frame(at, Direction.SERVER_TO_CLIENT, b"." * SEGMENT)]
    )


FRAMES = [
    typed(0, GERMAN + CLIENT.text("first line\nit goes o")),
    typed(1, CLIENT.text("n and") + CLIENT.key(0x2A, down=True)),
    typed(2, CLIENT.key(0x2C, down=True) + CLIENT.text("\n")),
    typed(3, CLIENT.text("last")),
]
TEXTS = [(0, "first line"), (2, "it goes on andY"), (4, "last")]
"""Each with the segment in which the line ended: the last one with the end of the recording."""


async def one_session(path: RecordingPath, grant: Grant) -> str:
    session = (await path.pipeline.open(grant=grant)).session
    for frames in FRAMES:
        await path.recorder.append(session=session, frames=frames)
    await path.pipeline.end(session=session, end=CLOSED)
    await path.proven(session)
    await path.released()
    return session


async def kept(path: RecordingPath, session: str) -> list[tuple[int, str]]:
    """Segments and lines."""
    found = await path.pipeline.typed_text(session=session)
    return [(text.segment, line.text) for text in found for line in text.lines]


async def test_lines_are_kept_with_whose_they_are_and_told(path: RecordingPath) -> None:
    session = await one_session(path, ALLOWED)
    assert await kept(path, session) == TEXTS
    first = (await path.pipeline.typed_text())[0]
    assert (first.session, first.user, first.host, first.layout) == (session, "ann", "demo", "German")
    assert first.opened == path.log.openings[0].opened
    second = (await path.pipeline.typed_text(session=session))[1]
    assert second.lines[0].times_us == (0, 0, 0, 1_000_000)
    told = [body["typed"] for topic, body in path.bus.events if topic == "sessions" and "typed" in body]
    assert told == [text.id for text in await path.pipeline.typed_text(session=session)]


async def test_without_the_policy_nothing_is_read(path: RecordingPath) -> None:
    session = await one_session(path, GRANT)
    assert await path.pipeline.typed_text(session=session) == []
    assert await path.documents.find(TYPED_TEXT) == await path.documents.find(TYPING) == []


async def test_the_state_is_sealed_and_goes_once_the_session_is_proven(path: RecordingPath) -> None:
    session = (await path.pipeline.open(grant=ALLOWED)).session
    await path.recorder.append(session=session, frames=typed(0, CLIENT.text("half a sente")))
    states = await eventually(lambda: path.documents.find(TYPING), lambda found: len(found) == 1)
    assert "half" not in str(states[0].body)
    assert await path.pipeline.typed_text(session=session) == []
    with pytest.raises(Conflict):
        await path.pipeline.forget_typed_text(session=session)
    await path.pipeline.end(session=session, end=CLOSED)
    await path.proven(session)
    assert await path.documents.find(TYPING) == []
    assert [text for _, text in await kept(path, session)] == ["half a sente"]


async def test_all_pages_newest_first(path: RecordingPath) -> None:
    older, newer = await one_session(path, ALLOWED), await one_session(path, ALLOWED)
    page = await path.pipeline.typed_text(newest_first=True, limit=4)
    assert [text.session for text in page] == [newer] * 3 + [older]
    rest = await path.pipeline.typed_text(newest_first=True, after=page[-1].id)
    assert [text.segment for text in rest] == [2, 0]


async def test_forgotten_text_is_gone_and_that_of_others_is_not(path: RecordingPath) -> None:
    session, other = await one_session(path, ALLOWED), await one_session(path, ALLOWED)
    ids = [text.id for text in await path.pipeline.typed_text(session=session)]
    assert await path.pipeline.forget_typed_text(session=session) == ids
    assert await path.pipeline.forget_typed_text(session=session) == []
    assert await kept(path, session) == []
    assert await kept(path, other) == TEXTS
    with pytest.raises(NotFound):
        await path.pipeline.forget_typed_text(session=new_session_id())


@pytest.mark.parametrize("effective", [False, True])
@pytest.mark.parametrize("at", range(9, 43, 6))
async def test_a_crash_neither_loses_nor_repeats_text(tmp_path: Path, at: int, effective: bool) -> None:
    """The platform dies at a call of the documents or the processor."""
    countdown, log = Countdown(at, effective=effective), FakeLog()

    def wrap(port: type, implementation: Any) -> Any:
        return countdown.wrap(port, implementation) if port in (Documents, Processor) else implementation

    path = RecordingPath(tmp_path, log, wrap=wrap)
    await path.start()
    session = (await path.pipeline.open(grant=ALLOWED)).session
    for frames in FRAMES:
        await path.recorder.append(session=session, frames=frames)
    await path.recorder.close(session=session, end=CLOSED)
    crashed = asyncio.create_task(countdown.crashed.wait())
    await asyncio.wait([crashed], timeout=20)
    assert crashed.done()
    await path.crash()
    again = RecordingPath(tmp_path, log)
    await again.start()
    await again.proven(session)
    assert await kept(again, session) == TEXTS
    assert await again.documents.find(TYPING) == []
    await again.stop()
