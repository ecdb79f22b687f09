"""Every error leaves a service as one kind of document, and says no more than it should."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from starlette.types import Message
from structlog.testing import capture_logs

from lucid.base.errors import ERRORS, StorageFull, TooManyRequests, Unauthenticated
from lucid.runtime.problems import install_problem_handlers
from lucid.runtime.public_api import validation_problem


@pytest.fixture
def api() -> FastAPI:
    api = FastAPI()
    install_problem_handlers(api)
    api.add_exception_handler(RequestValidationError, validation_problem)

    @api.get("/error/{slug}")
    async def error(slug: str) -> None:
        raise ERRORS[slug]("one sentence")

    @api.get("/later")
    async def later() -> None:
        raise TooManyRequests("slow down", retry_after_s=0.2)

    @api.get("/number/{number}")
    async def number(number: int, limit: int = 1) -> int:
        return number * limit

    @api.get("/bug")
    async def bug() -> None:
        raise KeyError("a detail of the inside")

    @api.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise KeyError("in the middle")

        return StreamingResponse(parts())

    return api


@pytest.fixture
async def http(api: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://service") as http:
        yield http


async def problem(http: httpx.AsyncClient, path: str, **options: Any) -> dict[str, Any]:
    answer = await http.get(path, **options)
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status_code
    return found


@pytest.mark.parametrize("slug", sorted(ERRORS))
async def test_errors_name_their_class(http: httpx.AsyncClient, slug: str) -> None:
    assert await problem(http, f"/error/{slug}") == {
        "type": f"urn:lucid:error:{slug}",
        "title": ERRORS[slug].title,
        "status": ERRORS[slug].status,
        "detail": "one sentence",
    }


async def test_failures_of_the_service_are_logged_and_refusals_are_not(http: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        await problem(http, f"/error/{StorageFull.slug}")
        await problem(http, f"/error/{Unauthenticated.slug}")
    assert [(entry["event"], entry["error"]) for entry in logs] == [("request failed", "storage-full")]


async def test_a_wait_is_rounded_up_in_the_header(http: httpx.AsyncClient) -> None:
    answer = await http.get("/later")
    assert (answer.headers["retry-after"], answer.json()["retry_after_s"]) == ("1", 0.2)


@pytest.mark.parametrize(("path", "field"), [("/number/x", "path.number"), ("/number/1?limit=x", "query.limit")])
async def test_wrong_input_names_the_field(http: httpx.AsyncClient, path: str, field: str) -> None:
    found = await problem(http, path)
    assert (found["type"], found["status"], found["field"]) == ("urn:lucid:error:invalid-input", 400, field)


async def test_unknown_paths_and_methods_are_problems_too(http: httpx.AsyncClient) -> None:
    assert await problem(http, "/nowhere") == {"type": "about:blank", "title": "Not Found", "status": 404}
    answer = await http.post("/bug")
    assert (answer.status_code, answer.headers["allow"], answer.json()["type"]) == (405, "GET", "about:blank")


async def test_a_bug_is_logged_whole_and_shown_to_nobody(http: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        found = await problem(http, "/bug")
    assert found["type"] == "urn:lucid:error:internal"
    assert "inside" not in str(found)
    assert [(entry["event"], entry["path"], entry["exc_info"]) for entry in logs] == [
        ("unexpected error", "/bug", True)
    ]


async def test_a_caller_who_leaves_within_the_body_is_no_bug(api: FastAPI) -> None:
    @api.post("/body")
    async def body(request: Request) -> None:
        async for _ in request.stream():
            pass

    messages: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/body", "query_string": b"", "headers": []}
    with capture_logs() as logs:
        await api(scope, receive, send)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("client left", "debug")]
    assert sent == []


async def test_half_an_answer_is_broken_off(http: httpx.AsyncClient) -> None:
    with capture_logs() as logs, pytest.raises(KeyError):
        await http.get("/stream")
    assert [entry["event"] for entry in logs] == ["unexpected error"]
