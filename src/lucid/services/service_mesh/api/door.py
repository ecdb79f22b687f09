"""What requests of Consul's API have in common: the token, blocking, parameters, and the headers of answers."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from lucid.base.errors import LucidError
from lucid.base.secret import Secret
from lucid.services.service_mesh.durations import seconds
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.indexes import Indexes, Topic
from lucid.services.service_mesh.settings import ServiceMeshSettings

_JITTER = 16
"""A blocking query waits up to a sixteenth longer, so that not all come back at once."""

_METHODS = ("GET", "PUT", "POST", "DELETE")
_NOT_HERE = ("filter", "node-meta", "ns", "partition", "peer", "sg")
"""Parameters that would change the answer, and are not offered: without them it would be wrong."""

Handler = Callable[[Request], Awaitable[Response]]


class Door:
    """Adds routes that ask for the token and answer refusals as Consul does. `close` comes last: it answers for what is
    not there."""

    def __init__(self, settings: ServiceMeshSettings, indexes: Indexes) -> None:
        self.routes: list[Route] = []
        self.settings = settings
        self.indexes = indexes

    def add(self, method: str, path: str, handler: Handler, *, public: bool = False) -> None:
        """Serve `handler` below /v1."""

        async def endpoint(request: Request) -> Response:
            try:
                if not public:
                    self._check_token(request)
                self._check_parameters(request)
                return await handler(request)
            except Refusal as refusal:
                return refusal.response()
            except LucidError as error:
                return Refusal(500, error.detail).response()

        self.routes.append(Route(f"/v1{path}", endpoint, methods=[method]))

    def close(self) -> None:
        """Say of all other paths that they are not there, and of other methods that they are not allowed."""

        async def unknown(request: Request) -> Response:
            methods = sorted({method for route in self.routes for method in _methods(route, request)})
            if methods and request.method not in methods:
                answer = Refusal(405, f"method {request.method} not allowed").response()
                answer.headers["Allow"] = ", ".join(methods)
                return answer
            raise Refusal(404, "Invalid URL path: not found")

        for method in _METHODS:
            self.add(method, "/{rest:path}", unknown)

    def _check_token(self, request: Request) -> None:
        shown = request.headers.get("x-consul-token", "")
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if not shown and scheme.lower() == "bearer":
            shown = bearer.strip()
        if Secret(shown) != self.settings.mesh_token:  # Secret compares in constant time
            raise Refusal(403, "Permission denied: the token is missing or wrong")

    def _check_parameters(self, request: Request) -> None:
        for name in _NOT_HERE:
            if request.query_params.get(name):
                raise bad(f"{name}: not offered here")
        if request.query_params.get("dc", "") not in ("", self.settings.datacenter):
            raise bad("No path to datacenter")

    async def block(self, request: Request, topic: Topic, *, rebuilt: bool = False) -> int:
        """Wait as a blocking query does, `rebuilt` as in Indexes.wait; the index to answer with."""
        index = number(request, "index")
        if index <= 0:
            return self.indexes.of(topic)
        text = request.query_params.get("wait", "")
        wait_s = min(seconds(text) if text else self.settings.default_wait_s, self.settings.max_wait_s)
        wait_s += random.uniform(0, wait_s / _JITTER)  # noqa: S311 - no secret
        waiting = asyncio.ensure_future(self.indexes.wait(topic, index, wait_s, rebuilt=rebuilt))
        left = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait((waiting, left), return_when=asyncio.FIRST_COMPLETED)
            return await waiting if waiting.done() else self.indexes.of(topic)
        finally:
            waiting.cancel()
            left.cancel()
            await asyncio.gather(waiting, left, return_exceptions=True)


async def _left(request: Request) -> None:
    """Returns when the client has hung up: its place among those that wait is for others."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _methods(route: Route, request: Request) -> Iterable[str]:
    """The methods of a route that has the request's path."""
    if route.path.endswith("/{rest:path}"):
        return ()
    match, _ = route.matches(request.scope)
    return route.methods or () if match is not Match.NONE else ()


def number(request: Request, name: str, most: int = 2**63 - 1) -> int:
    """A whole number among the query's parameters, 0 without it. Raises Refusal."""
    text = request.query_params.get(name, "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 20 or int(text) > most:
        raise bad(f"{name}: expected a whole number")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Whether a parameter such as `passing` is there; it needs no value, and may have one that means no."""
    return request.query_params.get(name, "false").lower() not in ("false", "f", "0")


async def content(request: Request, limit: int) -> bytes:
    """The body. Raises Refusal over `limit`, before more is taken in."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Refusal(413, f"Request body too large, max size: {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


def answer(value: Any = None, *, raw: bytes | None = None, index: int | None = None, status: int = 200) -> Response:
    """JSON (or, `raw`, bytes that a browser does not take for a page) with Consul's headers. Other statuses than 200
    have no body without a value."""
    headers = {"X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0"}
    if index is not None:
        headers["X-Consul-Index"] = str(index)
    if raw is not None:
        headers |= {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return Response(raw, status, headers, media_type="application/octet-stream")
    body = b"" if value is None and status != HTTPStatus.OK else json.dumps(value).encode()
    return Response(body, status, headers, media_type="application/json")
