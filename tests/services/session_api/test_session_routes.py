"""The public API of sessions and search: who may call what, streams of events, bad input."""

import asyncio
import json
from typing import Any

import pytest

from lucid.base.ids import new_session_id
from lucid.catalog.services import SERVICES
from lucid.model.session import SessionState
from lucid.runtime.openapi import service_document
from lucid.services.session_api.changes import session_events
from lucid.services.session_api.routes import api_routes
from lucid.services.session_api.service import SessionApi
from tests.asking import asking, person
from tests.services.session_api.session_kit import World

SESSIONS, SEARCH = "/api/v1/sessions", "/api/v1/search"
ROOT = person("root", "admin")


def parsed(event: bytes) -> tuple[str, str]:
    """Id and state of an event; a comment has neither."""
    lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return lines.get("id", ""), json.loads(lines["data"])["state"] if "data" in lines else ""


async def test_states_come_as_events_until_the_session_is_proven(service: SessionApi, world: World) -> None:
    session = world.add_session(state=SessionState.RECORDING)
    stream = session_events(session, service.pipeline, service.changes, seen="", heartbeat_s=60)
    assert parsed(await anext(stream)) == ("recording", "recording")
    waiting: asyncio.Future[bytes] = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    world.change_session(session.id, told=False, state=SessionState.PROVEN)
    service.changes.tell(session.id)
    assert parsed(await waiting) == ("proven", "proven")
    assert [event async for event in stream] == []


async def test_a_stream_lives_without_events_and_ends_with_the_service(service: SessionApi, world: World) -> None:
    session = world.add_session(state=SessionState.SEALING)
    stream = session_events(session, service.pipeline, service.changes, seen="sealing", heartbeat_s=0.01)
    assert await anext(stream) == b": alive\n\n"
    world.change_session(session.id, told=False, state=SessionState.ANCHORING)
    assert parsed(await anext(stream)) == ("anchoring", "anchoring")
    service.changes.close()
    assert [event async for event in stream] == []


async def test_last_event_id_is_not_sent_again(service: SessionApi, world: World) -> None:
    session = world.add_session().id
    async with asking(api_routes(service), person()) as http:
        whole = await http.get(f"{SESSIONS}/{session}/events")
        rest = await http.get(f"{SESSIONS}/{session}/events", headers={"Last-Event-ID": "proven"})
    assert parsed(whole.content) == ("proven", "proven")
    assert rest.content == b""


async def test_ones_own_session_can_be_ended_and_anybodys_by_who_may(service: SessionApi, world: World) -> None:
    mine, theirs = world.add_session("ada").id, world.add_session("bob").id
    async with asking(api_routes(service), person("ada")) as ada:
        assert (await ada.post(f"{SESSIONS}/{mine}/terminate")).status_code == 204
        assert (await ada.post(f"{SESSIONS}/{theirs}/terminate")).status_code == 404
    async with asking(api_routes(service), person("eve", "auditor")) as eve:
        assert (await eve.post(f"{SESSIONS}/{theirs}/terminate")).status_code == 403
    async with asking(api_routes(service), ROOT) as root:
        assert (await root.post(f"{SESSIONS}/{theirs}/terminate")).status_code == 204
    assert world.terminated == [mine, theirs]
    assert [(event.act, event.actor, event.accountable) for event in world.audit] == [
        ("session.terminated", "ada", True),
        ("session.terminated", "root", True),
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/hold", 403),
        ("DELETE", "/hold", 403),
        ("POST", "/shares", 403),
        ("DELETE", "", 403),
        ("GET", "", 200),
        ("GET", "/chunks?limit=1", 200),
        ("GET", "/manifest", 200),
    ],
)
async def test_a_user_may_read_and_not_decide(
    service: SessionApi, world: World, method: str, path: str, status: int
) -> None:
    session = world.add_session("ada").id
    async with asking(api_routes(service), person("ada")) as http:
        assert (await http.request(method, f"{SESSIONS}/{session}{path}")).status_code == status
    async with asking(api_routes(service), person("bob")) as http:
        assert (await http.request(method, f"{SESSIONS}/{session}{path}")).status_code in (403, 404)
    async with asking(api_routes(service), None) as http:
        assert (await http.request(method, f"{SESSIONS}/{session}{path}")).status_code == 401


async def test_chunks_are_paged(service: SessionApi, world: World) -> None:
    session = world.add_session("ada").id
    async with asking(api_routes(service), person("ada")) as http:
        first = (await http.get(f"{SESSIONS}/{session}/chunks", params={"limit": 1})).json()
        last = (await http.get(f"{SESSIONS}/{session}/chunks", params={"limit": 1, "after": first["next"]})).json()
    assert [chunk["index"] for chunk in first["items"] + last["items"]] == [0, 1]
    assert last["next"] is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/x", None),
        ("GET", "/" + "0" * 36, None),
        ("GET", "/%00", None),
        ("GET", "?limit=0", None),
        ("GET", "?limit=201", None),
        ("GET", f"?limit={10**40}", None),
        ("GET", "?user=A", None),
        ("GET", "?state=x", None),
        ("GET", "?from=2026", None),
        ("GET", "?sort=text", None),
        ("GET", "?cursor=%00", None),
        ("GET", "?cursor=AAAA", None),
        ("GET", "/ID/chunks/-1", None),
        ("GET", f"/ID/chunks/{10**40}", None),
        ("GET", "/ID/chunks?after=x", None),
        ("PUT", "/ID/hold", {"reason": "\x00"}),
        ("PUT", "/ID/hold", {"reason": 1}),
        ("PUT", "/ID/hold", []),
        ("POST", "/ID/shares", {}),
        ("POST", "/ID/shares", {"recipient": "age1"}),
        ("POST", "/ID/shares", {"recipient": "age1ql3z7"}),
        ("POST", "/ID/shares", {"recipient": "age1ql3z7", "wrapped": "é"}),
    ],
)
async def test_bad_input_is_a_problem(
    service: SessionApi, world: World, method: str, path: str, body: dict[str, Any] | None
) -> None:
    session = world.add_session().id
    async with asking(api_routes(service), ROOT) as http:
        answer = await http.request(method, f"{SESSIONS}{path.replace('ID', session)}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "kind=x",
        "kind=audit&state=proven",
        "kind=sessions&q=" + "x" * 501,
        "kind=hosts&sort=-admits",
        "kind=audit&from=x",
    ],
)
async def test_a_bad_search_is_a_problem(service: SessionApi, query: str) -> None:
    async with asking(api_routes(service), ROOT) as http:
        assert (await http.get(f"{SEARCH}?{query}")).status_code == 400


@pytest.mark.parametrize("text", ["\x00", "\U0001f600", "' OR 1=1", "*", "<script>"])
async def test_any_text_can_be_searched(service: SessionApi, world: World, text: str) -> None:
    world.add_session()
    await service.indexer.catch_up("sessions", whole=True)
    async with asking(api_routes(service), ROOT) as http:
        assert (await http.get(SEARCH, params={"kind": "sessions", "q": text})).status_code == 200
        assert (await http.get(SESSIONS, params={"text": text})).status_code == 200


async def test_hits_are_highlighted(service: SessionApi, world: World) -> None:
    session = world.add_session(host="office-7").id
    await service.indexer.catch_up("sessions", whole=True)
    async with asking(api_routes(service), ROOT) as http:
        found = (await http.get(SEARCH, params={"kind": "sessions", "q": "OFFICE"})).json()
    (hit,) = found["items"]
    assert (hit["id"], hit["highlights"]) == (session, ["<em>office</em>-7"])
    assert "text" not in hit["item"]


async def test_an_unknown_session_is_not_found(service: SessionApi) -> None:
    async with asking(api_routes(service), ROOT) as http:
        for path in ("", "/events", "/manifest", "/chunks", "/chunks/0", "/bundle", "/download", "/shares"):
            assert (await http.get(f"{SESSIONS}/{new_session_id()}{path}")).status_code == 404
        assert (await http.delete(f"{SESSIONS}/{new_session_id()}")).status_code == 404


async def test_the_document_is_complete(service: SessionApi) -> None:
    (literal,) = (one for one in SERVICES if one.name == "session-api")
    document = service_document(literal, api_routes(service))
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) == 18
    assert all(operation["summary"] and operation["description"] for operation in operations)
