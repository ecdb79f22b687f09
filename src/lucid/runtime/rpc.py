"""Ports over HTTP, the server's half: hosts what a service provides. The client is lucid.drivers.http.client."""

from collections.abc import Awaitable, Callable, Mapping

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lucid.base.errors import InvalidInput
from lucid.base.secret import REVEAL
from lucid.model.canonical import first_problem
from lucid.ports.binding import Method, methods_of

MAX_BODY_BYTES = 64 * 1024 * 1024


Check = Callable[[Request], Awaitable[None]]
"""Raises for a caller who may not."""


def rpc_routes(provides: Mapping[type, object], guard: Callable[[type], Check]) -> list[Route]:
    """Routes for every method of every port, which services alone call. `guard` makes what checks the callers of a
    port."""
    return [
        Route(method.path, _endpoint(method, service, guard(port)), methods=["POST"])
        for port, service in provides.items()
        for method in methods_of(port)
    ]


def _endpoint(method: Method, service: object, check: Check) -> Callable[[Request], Awaitable[Response]]:
    call = getattr(service, method.name)

    async def endpoint(request: Request) -> Response:
        await check(request)
        content = await _read(request)
        text = request.headers.get("lucid-arguments", "{}") if method.body else content or b"{}"
        try:
            parsed = method.arguments.model_validate_json(text)
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise InvalidInput(first_problem(error), field=field or None) from None
        arguments = {name: getattr(parsed, name) for name in method.arguments.model_fields}
        if method.body:
            arguments[method.body] = content
        result = await call(**arguments)
        if method.result is None:
            return Response(result, media_type="application/octet-stream")
        return Response(method.result.dump_json(result, context={REVEAL: True}), media_type="application/json")

    return endpoint


async def _read(request: Request) -> bytes:
    """The request's body. Raises InvalidInput over the limit, before more of it is taken in."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise InvalidInput(f"the body is over {MAX_BODY_BYTES} bytes", field="body")
        parts.append(part)
    return b"".join(parts)
