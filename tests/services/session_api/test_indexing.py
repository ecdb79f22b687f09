"""The search index follows the stores, whether events come or not; it is rebuilt while it is asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lucid.base.errors import Conflict, Forbidden, InvalidInput, Unavailable
from lucid.drivers.tantivy.index import TantivyIndex
from lucid.model.host import Host, HostAccess
from lucid.model.principal import Principal
from lucid.model.session import SessionState
from lucid.ports.access import Account
from lucid.ports.search import Indexed, SearchKind
from lucid.services.session_api.search import indexer
from lucid.services.session_api.search.searching import Asked
from lucid.services.session_api.search.sources import Sources
from lucid.services.session_api.service import SessionApi
from tests.asking import person
from tests.services.session_api.session_kit import TIME, World
from tests.waiting import until

ROOT = person("root", "admin")


async def found(service: SessionApi, kind: SearchKind, principal: Principal = ROOT, **asked: Any) -> list[str]:
    page = await service.searcher.search(Asked.model_validate({"kind": kind, **asked}), principal)
    return [hit.id for hit in page.hits]


async def until_found(service: SessionApi, expected: list[str], kind: SearchKind, **asked: Any) -> None:
    async def is_found() -> bool:
        return await found(service, kind, **asked) == expected

    await until(is_found)


@pytest.fixture
async def running(service: SessionApi) -> SessionApi:
    await service.start()
    return service


async def test_events_bring_sessions_into_the_index(running: SessionApi, world: World) -> None:
    session = world.add_session(state=SessionState.RECORDING, closed=None)
    world.change_session(session.id, told=True)
    await until_found(running, [session.id], "sessions", filters={"state": ("recording",)})
    world.change_session(session.id, told=True, state=SessionState.PROVEN)
    await until_found(running, [session.id], "sessions", filters={"state": ("proven",)})


async def test_what_events_did_not_tell_is_found_by_comparing(running: SessionApi, world: World) -> None:
    old = world.add_session(state=SessionState.RECORDING, closed=None)
    await until_found(running, [old.id], "sessions", filters={"state": ("recording",)})
    newer = [world.add_session() for _ in range(3)]
    world.change_session(old.id, told=False, state=SessionState.PROVEN)
    await until_found(running, [], "sessions", filters={"state": ("recording",)})
    await until_found(running, sorted((old.id, *(one.id for one in newer)), reverse=True), "sessions", sort="-id")


async def test_small_kinds_lose_what_is_gone(running: SessionApi, world: World) -> None:
    for name in ("office", "lab"):
        world.hosts[name] = Host(name=name, address="192.0.2.1", access=HostAccess(users=("ada",)), added=TIME)
    world.accounts = [Account(name="ada", role="user", created=TIME), Account(name="zoe", role="admin", created=TIME)]
    await until_found(running, ["lab", "office"], "hosts")
    await until_found(running, ["zoe"], "accounts", filters={"role": ("admin",)})
    del world.hosts["lab"]
    await until_found(running, ["office"], "hosts")


async def test_a_store_that_does_not_answer_for_a_while_costs_nothing(running: SessionApi, world: World) -> None:
    world.broken = {"Pipeline.get", "Pipeline.list"}
    session = world.add_session()
    world.change_session(session.id, told=True)
    await asyncio.sleep(0.05)
    world.broken = set()
    await until_found(running, [session.id], "sessions")
    await running.check()


async def test_people_find_what_they_may_see(service: SessionApi, world: World) -> None:
    mine, theirs = world.add_session("ada"), world.add_session("bob")
    world.hosts["office"] = Host(name="office", address="192.0.2.1", access=HostAccess(users=("ada",)), added=TIME)
    world.hosts["lab"] = Host(name="lab", address="192.0.2.1", access=HostAccess(roles=("auditor",)), added=TIME)
    kinds: tuple[SearchKind, ...] = ("sessions", "hosts")
    for kind in kinds:
        await service.indexer.catch_up(kind, whole=True)
    ada, eve = person("ada"), person("eve", "auditor")
    assert await found(service, "sessions", ada) == [mine.id]
    assert await found(service, "sessions", ada, filters={"user": ("bob",)}) == []
    assert await found(service, "sessions", ada, filters={"user": ("ada",)}) == [mine.id]
    assert await found(service, "sessions", eve, filters={"user": ("bob",)}) == [theirs.id]
    assert await found(service, "hosts", ada) == ["office"]
    assert await found(service, "hosts", eve) == ["lab"]
    assert await found(service, "hosts") == ["lab", "office"]
    refused: tuple[SearchKind, ...] = ("accounts", "audit")
    for kind in refused:
        with pytest.raises(Forbidden):
            await found(service, kind, ada)


@pytest.mark.parametrize(
    "asked",
    [
        {"filters": {"act": ("x",)}},
        {"sort": "text"},
        {"sort": "shown"},
        {"sort": "--opened"},
        {"cursor": "x"},
        {"since": "yesterday"},
    ],
)
async def test_what_a_kind_does_not_have_is_bad_input(service: SessionApi, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await found(service, "sessions", **asked)


async def test_a_recording_deleted_meanwhile_leaves_no_typed_text(
    service: SessionApi, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [world.add_session() for _ in range(2)]
    deleting = list[str]()
    real = Sources._typed_pages

    async def pages(sources: Sources) -> AsyncIterator[list[Indexed]]:
        async for page in real(sources):
            for session in deleting:
                await service.keeper.delete(session=session)
            yield page

    monkeypatch.setattr(Sources, "_typed_pages", pages)
    for session in sessions:
        world.add_typed(session, "a secret", told=False)
    deleting.append(sessions[0].id)
    await service.indexer.catch_up("typed", whole=True)
    assert [hit[:36] for hit in await found(service, "typed")] == [sessions[1].id]
    deleting.append(sessions[1].id)
    await service.searcher.rebuild()
    while (await service.searcher.rebuild_state(wait_s=5)).running:
        pass
    assert await found(service, "typed") == []


async def test_events_that_nobody_understands_stop_nothing(
    running: SessionApi, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "_RETRY_S", 0.01)
    for topic in ("sessions", "audit.event"):
        world.events.put_nowait((topic, {"unknown": 1}))
    await until(lambda: world.events.empty())
    session = world.add_session(state=SessionState.RECORDING, closed=None)
    world.change_session(session.id, told=True)
    await until_found(running, [session.id], "sessions")
    await running.check()


async def test_a_rebuild_makes_up_for_a_wrong_index(service: SessionApi, world: World) -> None:
    sessions = [world.add_session() for _ in range(450)]
    await service.searcher.rebuild()
    with pytest.raises(Conflict):
        await service.searcher.rebuild()
    seen = []
    while (state := await service.searcher.rebuild_state(wait_s=5)).running:
        seen.append(state.done)
    assert (state.error, state.indexed) == ("", 451)
    assert len(await found(service, "sessions", limit=200)) == 200
    assert [event.act for event in world.audit] == ["search.rebuilt"]
    gone = world.sessions.pop(sessions[7].id)
    assert await found(service, "sessions", filters={"user": (gone.user,)}, text=gone.id) == [gone.id]
    await service.searcher.rebuild()
    while (await service.searcher.rebuild_state(wait_s=5)).running:
        pass
    assert await found(service, "sessions", text=gone.id) == []


async def test_a_rebuild_that_fails_leaves_the_old_index(
    service: SessionApi, world: World, index: TantivyIndex
) -> None:
    session = world.add_session()
    await service.indexer.catch_up("sessions", whole=True)
    world.broken = {"Pipeline.list"}
    await service.searcher.rebuild()
    while (state := await service.searcher.rebuild_state(wait_s=5)).running:
        pass
    assert state.error == Unavailable("Pipeline.list does not answer").detail
    assert await found(service, "sessions") == [session.id]


async def test_what_was_typed_is_found_by_who_may_play_it(running: SessionApi, world: World) -> None:
    mine, theirs = world.add_session("ada"), world.add_session("bob")
    first = world.add_typed(mine, "ssh büro", "rm -rf old", told=True)
    second = world.add_typed(theirs, "ssh lab", told=False)
    await until_found(running, sorted((first.id, second.id)), "typed", text="ssh", sort="id")
    assert await found(running, "typed", person("ada"), text="SSH BURO") == [first.id]
    assert await found(running, "typed", person("ada"), text="lab") == []
    assert await found(running, "typed", person("eve", "auditor"), filters={"session": (theirs.id,)}) == [second.id]


async def test_what_was_typed_goes_with_its_recording(running: SessionApi, world: World) -> None:
    session, other = world.add_session(), world.add_session()
    texts = [world.add_typed(one, "secret plan", told=True).id for one in (session, other)]
    await until_found(running, sorted(texts, reverse=True), "typed", sort="-id")
    await running.keeper.delete(session=session.id)
    assert await found(running, "typed", text="plan") == [texts[1]]
    assert [text.session for text in world.typed] == [other.id]
