"""What requests of Consul's API have in common: the token, blocking, bodies, and the headers of answers."""

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from lucid.base.secret import Secret
from lucid.services.service_mesh.durations import seconds
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.indexes import Indexes, Topic
from lucid.services.service_mesh.settings import ServiceMeshSettings

MAX_BODY_BYTES = 1 << 20
_JITTER = 16
"""A blocking query waits up to a sixteenth longer, so that not all come back at once."""

Handler = Callable[[Request], Awaitable[Response]]


class Door:
    """Adds routes that ask for the token and answer refusals as Consul does."""

    def __init__(self, settings: ServiceMeshSettings, indexes: Indexes) -> None:
        self.router = APIRouter()
        self.settings = settings
        self.indexes = indexes

    def add(self, method: str, path: str, handler: Handler, *, public: bool = False) -> None:
        """Serve `handler` below /v1."""

        async def endpoint(request: Request) -> Response:
            try:
                if not public:
                    self._check_token(request)
                return await handler(request)
            except Refusal as refusal:
                return refusal.response()

        self.router.add_api_route(
            f"/v1{path}", endpoint, methods=[method], include_in_schema=False, response_model=None
        )

    def _check_token(self, request: Request) -> None:
        shown = request.headers.get("x-consul-token", "")
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if not shown and scheme.lower() == "bearer":
            shown = bearer.strip()
        if Secret(shown) != self.settings.mesh_token:  # Secret compares in constant time
            raise Refusal(403, "Permission denied: the token is missing or wrong")

    async def block(self, request: Request, topic: Topic) -> int:
        """Wait as a blocking query does; the index to answer with."""
        index = number(request, "index")
        if index <= 0:
            return self.indexes.of(topic)
        text = request.query_params.get("wait", "")
        wait_s = min(seconds(text) if text else self.settings.default_wait_s, self.settings.max_wait_s)
        wait_s += random.uniform(0, wait_s / _JITTER)  # noqa: S311 - no secret
        return await self.indexes.wait(topic, index, wait_s)


def number(request: Request, name: str) -> int:
    """A whole number among the query's parameters, 0 without it. Raises Refusal."""
    text = request.query_params.get(name, "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise bad(f"{name}: expected a whole number")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Whether a parameter without a value is there, such as `passing`."""
    return request.query_params.get(name, "false").lower() in ("", "1", "true")


async def content(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body. Raises Refusal over `limit`, before more is taken in."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Refusal(413, f"Request body too large, max size: {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


async def body(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one is empty. Raises Refusal."""
    data = await content(request)
    if not data.strip():
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise bad("Request decode failed: not JSON") from None
    if not isinstance(found, dict):
        raise bad("Request decode failed: expected an object")
    return found


def member(found: Mapping[str, Any], *names: str) -> Any:
    """A field, whose names Consul reads without regard to case and underscores; None when it is not there."""
    wanted = {name.lower() for name in names}
    for key, value in found.items():
        if key.lower().replace("_", "") in wanted:
            return value
    return None


def text(found: Mapping[str, Any], *names: str, default: str = "", limit: int = 1024) -> str:
    """A field that is a text. Raises Refusal."""
    value = member(found, *names)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise bad(f"{names[0]}: expected a text of at most {limit} characters")
    return value


def duration(found: Mapping[str, Any], *names: str, default: float = 0.0) -> float:
    """A field that is a duration: text as Go writes it, or a number of nanoseconds."""
    value = member(found, *names)
    if value is None or value == "":
        return default
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value / 1e9
    raise bad(f"{names[0]}: expected a duration")


def texts(found: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """A field that is a list of texts."""
    value = member(found, *names)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 64 or not all(isinstance(item, str) for item in value):
        raise bad(f"{names[0]}: expected a list of texts")
    return tuple(value)


def mapping(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A field that is an object."""
    value = member(found, *names)
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > 64:
        raise bad(f"{names[0]}: expected an object")
    return value


def answer(value: Any, *, index: int | None = None, status: int = 200) -> Response:
    """JSON with Consul's headers."""
    headers = {"X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0"}
    if index is not None:
        headers["X-Consul-Index"] = str(index)
    return Response(json.dumps(value), status, headers, media_type="application/json")
