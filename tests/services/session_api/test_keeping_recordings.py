"""Holds, shares, deletion and retention."""

import asyncio
import base64

import pytest

from lucid.base.errors import Conflict, InvalidInput, NotFound
from lucid.base.ids import new_session_id
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.drivers.tantivy.index import TantivyIndex
from lucid.model.kept import Deletion
from lucid.model.session import SessionState
from lucid.services.session_api import keeping
from lucid.services.session_api.service import SessionApi
from tests.services.session_api.session_kit import DATA_KEY, World, session_api
from tests.waiting import until, until_not


async def test_a_held_recording_is_not_deleted(service: SessionApi, world: World) -> None:
    session = world.add_session().id
    held = await service.keeper.hold(session=session, reason="case", actor="eve")
    assert (held.hold and held.hold.by, held.hold and held.hold.reason) == ("eve", "case")
    with pytest.raises(Conflict, match="held by eve"):
        await service.keeper.delete(session=session)
    assert len(world.chunks) == 2
    await service.keeper.hold(session=session, reason="case", actor="eve")
    await service.keeper.lift(session=session, actor="eve")
    await service.keeper.lift(session=session, actor="eve")
    assert [(event.act, event.accountable) for event in world.audit] == [
        ("recording.held", True),
        ("recording.released", True),
    ]
    await service.keeper.delete(session=session)
    assert not world.chunks


async def test_no_hold_is_lifted_without_a_trace(
    world: World, documents: SqliteDocuments, index: TantivyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETRY_S", 0.01)
    session = world.add_session().id
    world.broken = {"Audit.record"}
    first = session_api(world, documents, index)  # not started: it is killed before it can try again
    await first.keeper.hold(session=session, reason="case", actor="eve")
    lifted = await first.keeper.lift(session=session, actor="mallory")
    assert lifted.hold is None
    assert not world.audit
    second = session_api(world, documents, index)
    await second.start()
    world.broken = set()
    await until_not(lambda: len(world.audit) < 2)
    world.broken = {"Audit.record"}
    await second.keeper.hold(session=session, actor="eve")
    world.broken = set()
    await until_not(lambda: len(world.audit) < 3)
    await second.stop()
    assert [(event.act, event.actor, event.accountable) for event in world.audit] == [
        ("recording.held", "eve", True),
        ("recording.released", "mallory", True),
        ("recording.held", "eve", True),
    ]
    assert await documents.find("kept_recordings", {"owing": True}) == []


async def test_a_deletion_is_in_the_log_before_anything_is_gone(
    world: World, documents: SqliteDocuments, index: TantivyIndex
) -> None:
    service = session_api(world, documents, index, delete_wait_s=0.05)
    session = world.add_session()
    world.broken = {"Anchoring.act"}
    deleting = await service.keeper.delete(session=session.id)
    assert deleting.deletion is not None
    assert not deleting.deletion.complete
    assert len(world.chunks) == 2
    with pytest.raises(Conflict):
        await service.keeper.hold(session=session.id)
    await service.stop()


@pytest.mark.parametrize(
    "broken",
    ["Anchoring.act", "Storage.delete", "Pipeline.forget_typed_text", "DataChain.delete", "Audit.record"],
)
async def test_a_deletion_that_was_broken_off_is_finished_after_a_restart(
    world: World, documents: SqliteDocuments, index: TantivyIndex, broken: str
) -> None:
    session = world.add_session()
    other = world.add_session()
    world.broken = {broken}
    first = session_api(world, documents, index, delete_wait_s=0.05)
    await first.keeper.delete(session=session.id, actor="eve")
    await first.stop()
    world.broken = set()
    second = session_api(world, documents, index)
    await second.start()

    async def done() -> Deletion | None:
        deletion = (await second.keeper.kept(session=session.id)).deletion
        return deletion if deletion is not None and deletion.complete else None

    deletion = await until(done)
    await second.stop()
    assert deletion is not None
    assert deletion.by == "eve"
    assert session.manifest not in world.bodies
    assert set(world.chunks) == {chunk.digest for chunk in other.chunks}
    assert ("recording.deleted", session.id) in world.acts
    assert [event.act for event in world.audit] == ["recording.deleted"]


async def test_a_deletion_goes_on_when_the_stores_answer_again(
    service: SessionApi, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETRY_S", 0.01)
    session = world.add_session().id
    world.broken = {"Storage.delete"}
    deleting = asyncio.create_task(service.keeper.delete(session=session))
    again = asyncio.create_task(service.keeper.delete(session=session))
    await asyncio.sleep(0.05)
    world.broken = set()
    for kept in await asyncio.gather(deleting, again):
        assert kept.deletion is not None
        assert kept.deletion.complete
    assert world.acts == [("recording.deleted", session)]


async def test_only_what_is_proven_and_old_enough_is_deleted(
    world: World, documents: SqliteDocuments, index: TantivyIndex
) -> None:
    service = session_api(world, documents, index, min_retention_s=60)
    for state in (SessionState.OPENING, SessionState.RECORDING, SessionState.SEALING, SessionState.ANCHORING):
        with pytest.raises(Conflict, match="only a proven one"):
            await service.keeper.delete(session=world.add_session(state=state).id)
    session = world.add_session().id
    with pytest.raises(Conflict, match="has to be kept until 2026-11-22T21:43"):
        await service.keeper.delete(session=session)
    world.clock.advance(61)
    assert (await service.keeper.delete(session=session)).deletion
    with pytest.raises(NotFound):
        await service.keeper.delete(session=new_session_id())
    await service.stop()


async def test_recordings_end_with_their_time_of_keeping(
    world: World, documents: SqliteDocuments, index: TantivyIndex
) -> None:
    service = session_api(world, documents, index, retention_s=3600)
    gone = world.add_session(closed="2026-11-22T21:00:00.000000Z")
    old, held, young = world.add_session(), world.add_session(), world.add_session(closed="2026-11-22T22:00:00.000000Z")
    running = world.add_session(state=SessionState.RECORDING, closed=None)
    await service.keeper.hold(session=held.id)
    await service.indexer.catch_up("sessions", whole=True)
    del world.sessions[gone.id]  # which the index shows still
    for chunk in gone.chunks:
        world.chunks.pop(chunk.digest, None)
    world.clock.advance(3601)
    assert await service.expire() == 1
    assert await service.expire() == 0
    kept = {session.id for session in (held, young, running)}
    assert {chunk.digest for session in kept for chunk in world.sessions[session].chunks} == set(world.chunks)
    deletion = (await service.keeper.kept(session=old.id)).deletion
    assert deletion is not None
    assert deletion.by == "session-api"
    await service.stop()


async def test_the_platform_wraps_the_key_for_an_auditor(service: SessionApi, world: World) -> None:
    session = world.add_session().id
    identity = age.new_identity()
    share = await service.keeper.share(session=session, recipient=age.recipient_of(identity), actor="root")
    assert age.unwrap(share.wrapped, identity) == DATA_KEY
    assert await service.keeper.share(session=session, recipient=share.recipient) == share
    assert world.acts == [("recording.shared", session)]
    await service.keeper.delete(session=session)
    assert (await service.keeper.kept(session=session)).shares == ()
    with pytest.raises(Conflict, match="deleted"):
        await service.keeper.share(session=session, recipient=age.recipient_of(age.new_identity()))


async def test_without_the_owners_identity_the_key_has_to_be_given(
    world: World, documents: SqliteDocuments, index: TantivyIndex
) -> None:
    service = session_api(world, documents, index, owner_identity=Secret(""))
    session, recipient = world.add_session().id, age.recipient_of(age.new_identity())
    with pytest.raises(Conflict, match="wrap the key"):
        await service.keeper.share(session=session, recipient=recipient)
    wrapped = age.wrap(DATA_KEY, recipient)
    assert (await service.keeper.share(session=session, recipient=recipient, wrapped=wrapped)).wrapped == wrapped
    other = age.recipient_of(age.new_identity())
    for bad in ("", "x", "AAAA", base64.b64encode(b"age-encryption.org/v2\n").decode()):
        with pytest.raises(InvalidInput):
            await service.keeper.share(session=session, recipient=other, wrapped=bad)
    for bad in ("age1x", "age1" + "q" * 58):
        with pytest.raises(InvalidInput):
            await service.keeper.share(session=session, recipient=bad, wrapped=wrapped)
    await service.stop()


async def test_a_key_is_not_given_before_the_log_has_it(service: SessionApi, world: World) -> None:
    session = world.add_session().id
    world.broken = {"Anchoring.act"}
    with pytest.raises(Exception, match="does not answer"):
        await service.keeper.share(session=session, recipient=age.recipient_of(age.new_identity()))
    assert (await service.keeper.kept(session=session)).shares == ()
    unproven = world.add_session(state=SessionState.ANCHORING).id
    world.broken = set()
    with pytest.raises(Conflict, match="once it is proven"):
        await service.keeper.share(session=unproven, recipient=age.recipient_of(age.new_identity()))
