"""A port behaves the same in its own process and over loopback HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response
from pydantic import Field
from starlette.applications import Starlette
from structlog.testing import capture_logs

from lucid.base.errors import (
    ERRORS,
    InvalidInput,
    LucidError,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from lucid.base.secret import Secret
from lucid.base.value import Value
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.http import client
from lucid.drivers.http.client import at, connect, new_http
from lucid.runtime import rpc
from lucid.runtime.problems import install_problem_handlers
from lucid.runtime.rpc import rpc_routes
from tests import guards

POST_OFFICE = guards.service("post-office")
CLERK = guards.CallerOf("clerk")


class Parcel(Value):
    """A value with what is hard to carry: a secret, text outside ASCII, a default."""

    name: str
    password: Secret
    weight: int = Field(default=1, ge=1)


class Post(Protocol):
    """A port with one method of each kind."""

    async def send(self, *, parcel: Parcel, express: bool = False) -> Parcel: ...

    async def store(self, *, label: str, data: bytes | memoryview, copies: int = 1) -> str: ...

    async def load(self, *, label: str) -> bytes: ...

    async def forget(self, *, label: str | None = None) -> None: ...

    async def names(self) -> list[str]: ...

    async def fail(self, *, slug: str) -> None: ...

    async def wait(self, *, wait_s: float) -> float: ...


class PostOffice:
    """The service behind the port."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.express: list[bool] = []
        self.passwords: list[str] = []

    async def send(self, *, parcel: Parcel, express: bool = False) -> Parcel:
        self.express.append(express)
        self.passwords.append(parcel.password.reveal())
        return parcel

    async def store(self, *, label: str, data: bytes | memoryview, copies: int = 1) -> str:
        self.stored[label] = bytes(data) * copies
        return label

    async def load(self, *, label: str) -> bytes:
        if label not in self.stored:
            raise NotFound(f"no parcel {label}")
        return self.stored[label]

    async def forget(self, *, label: str | None = None) -> None:
        self.stored.clear() if label is None else self.stored.pop(label)

    async def names(self) -> list[str]:
        return sorted(self.stored)

    async def fail(self, *, slug: str) -> None:
        if slug == "bug":
            raise ZeroDivisionError("a detail that must not leave the service")
        raise ERRORS[slug](f"failed with {slug}", field="slug", retry_after_s=1.5)

    async def wait(self, *, wait_s: float) -> float:
        await asyncio.sleep(wait_s)
        return wait_s


def application(office: PostOffice) -> Starlette:
    api = Starlette(routes=rpc_routes({Post: office}, guards.guard(POST_OFFICE, CLERK, needs=Post).rpc))
    install_problem_handlers(api)
    return api


@asynccontextmanager
async def serving(api: Starlette) -> AsyncIterator[str]:
    """A real server on a free port of the loopback interface."""
    # The protocol is named so that asyncio turns Nagle's algorithm off.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(api, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
async def url(office: PostOffice) -> AsyncIterator[str]:
    async with serving(application(office)) as url:
        yield url


@pytest.fixture(params=["in-process", "http"])
async def post(request: pytest.FixtureRequest, office: PostOffice) -> AsyncIterator[Post]:
    if request.param == "in-process":
        yield office
        return
    async with serving(application(office)) as url, httpx.AsyncClient() as http:
        yield remote(url, http=http)


def remote(url: str, caller: guards.CallerOf = CLERK, http: httpx.AsyncClient | None = None) -> Post:
    return cast(Post, connect(cast(Any, Post), at(url), lambda: caller.token("post-office"), http=http))


async def test_values_and_secrets_arrive_as_they_are(post: Post, office: PostOffice) -> None:
    parcel = Parcel(name="Grüße, 世界\r\n", password=Secret("hunter2 ✓"), weight=3)
    assert await post.send(parcel=parcel) == parcel
    assert office.passwords == ["hunter2 ✓"]


async def test_optional_arguments_may_be_left_out(post: Post, office: PostOffice) -> None:
    parcel = Parcel(name="a", password=Secret("b"))
    await post.send(parcel=parcel)
    await post.send(parcel=parcel, express=True)
    assert office.express == [False, True]
    await post.store(label="x", data=b"1")
    await post.forget(label=None)
    assert await post.names() == []


@pytest.mark.parametrize("data", [b"", b"\x00\xff{}", bytes(range(256)) * 4096])
async def test_bytes_travel_both_ways(post: Post, data: bytes) -> None:
    label = "Äpfel \n und\tBirnen"
    assert await post.store(label=label, data=data, copies=2) == label
    assert await post.load(label=label) == data * 2


async def test_memory_that_is_used_again_is_sent_as_it_was(post: Post) -> None:
    memory = bytearray(b"once")
    await post.store(label="x", data=memoryview(memory)[1:])
    memory[:] = b"????"
    assert await post.load(label="x") == b"nce"


@pytest.mark.parametrize("slug", sorted(ERRORS))
async def test_errors_keep_their_class_and_fields(post: Post, slug: str) -> None:
    with pytest.raises(LucidError) as caught:
        await post.fail(slug=slug)
    error = caught.value
    assert type(error) is ERRORS[slug]
    assert (error.detail, error.field, error.retry_after_s) == (f"failed with {slug}", "slug", 1.5)


async def test_calls_run_side_by_side(post: Post) -> None:
    await asyncio.wait_for(asyncio.gather(*(post.wait(wait_s=0.2) for _ in range(20))), 2)


async def test_a_wait_may_take_longer_than_the_answer_limit(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_LIMIT_S", 0.2)
    async with httpx.AsyncClient() as http:
        assert await remote(url, http=http).wait(wait_s=0.3) == 0.3


async def test_no_answer_in_time_is_unavailable(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_LIMIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with httpx.AsyncClient() as http:
            post = remote(f"http://127.0.0.1:{silent.getsockname()[1]}", http=http)
            with pytest.raises(Unavailable, match="no answer within"):
                await post.names()


async def test_a_bug_is_reported_without_its_detail(url: str) -> None:
    async with httpx.AsyncClient() as http:
        with capture_logs() as logs, pytest.raises(LucidError) as caught:
            await remote(url, http=http).fail(slug="bug")
    assert [entry["event"] for entry in logs] == ["unexpected error"]
    assert type(caught.value) is LucidError
    assert "must not leave" not in caught.value.detail


async def test_a_redirection_is_no_answer() -> None:
    api = FastAPI()

    @api.post("/rpc/Post/load")
    async def elsewhere() -> Response:
        return Response(b"not the parcel", status_code=302, headers={"Location": "http://elsewhere.test/"})

    async with serving(api) as url, httpx.AsyncClient() as http:
        with pytest.raises(Unavailable, match="status 302"):
            await remote(url, http=http).load(label="one")


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    post = remote(f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable, match="/rpc/Post/names"):
        await post.names()
    await cast(Any, post).aclose()


async def test_by_https_only_a_certificate_that_the_authorities_signed_is_believed() -> None:
    tls = server_context(self_signed("127.0.0.1"))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server, new_http() as http:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(2):
            with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await remote(url, http=http).names()


async def test_a_service_without_the_port_is_unavailable() -> None:
    async with serving(Starlette()) as url, httpx.AsyncClient() as http:
        with pytest.raises(Unavailable, match="status 404"):
            await remote(url, http=http).names()


async def test_a_caller_whose_key_is_not_known_is_refused(url: str) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(Unauthenticated):
            await remote(url, guards.CallerOf("clerk"), http).names()
        answer = await http.post(f"{url}/rpc/Post/names")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"parcel": {"name": "a", "password": "x", "weight": 0}}', "parcel.weight"),
        (b'{"parcel": {"name": "a", "password": 5}}', "parcel.password"),
        (b"{}", "parcel"),
        (b'{"unknown": 1}', "parcel"),
        (b"not json", None),
        (b'{"a":' * 100_000, None),
    ],
)
async def test_wrong_arguments_name_the_field(url: str, content: bytes, field: str | None) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {CLERK.token('post-office').reveal()}"}) as http:
        answer = await http.post(f"{url}/rpc/Post/send", content=content)
    problem = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:lucid:error:invalid-input"
    assert (problem.get("field") or "").startswith(field or "")


async def test_wrong_arguments_are_not_even_sent() -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(InvalidInput) as caught:
            await remote("http://nowhere.invalid", http=http).store(label=cast(Any, None), data=b"")
    assert caught.value.field == "label"


async def test_retry_after_is_a_header_too(url: str) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {CLERK.token('post-office').reveal()}"}) as http:
        answer = await http.post(f"{url}/rpc/Post/fail", json={"slug": TooManyRequests.slug})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


async def test_a_body_over_the_limit_is_refused(url: str, office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_BODY_BYTES", 1000)
    async with httpx.AsyncClient() as http:
        with pytest.raises(InvalidInput, match="over 1000 bytes"):
            await remote(url, http=http).store(label="a", data=bytes(1001))
        await remote(url, http=http).store(label="b", data=bytes(1000))
    assert sorted(office.stored) == ["b"]


async def test_connections_are_reused(url: str) -> None:
    opened = 0

    async def count(name: str, _info: Any) -> None:
        nonlocal opened
        opened += name == "connection.connect_tcp.started"

    async def trace(request: httpx.Request) -> None:
        request.extensions["trace"] = count

    async with httpx.AsyncClient(event_hooks={"request": [trace]}) as http:
        for _ in range(10):
            await remote(url, http=http).names()
    assert opened == 1
