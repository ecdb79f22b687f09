"""A port over HTTP: an object that looks like the service and asks it in its own process.

The other half is lucid.runtime.rpc. One POST a call: arguments are JSON in the body or, beside a `bytes`
argument, which is the body then, in the header `Lucid-Arguments`; failures are problem documents (RFC 9457).
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import httpx
from pydantic import BaseModel, ValidationError

from lucid.base.errors import ERRORS, InvalidInput, LucidError, Unavailable
from lucid.base.secret import REVEAL, Secret
from lucid.model.canonical import first_problem
from lucid.ports.binding import Method, methods_of

P = TypeVar("P")

ANSWER_LIMIT_S = 10.0
"""How long a call may take, beyond what its argument `wait_s` asks for."""

RETRY_S = 1.0
"""When to try again what could not be reached."""

ARGUMENTS_HEADER = "Lucid-Arguments"
_ERROR_TYPE = "urn:lucid:error:"


def new_http() -> httpx.AsyncClient:
    """Connections to services, to be shared by many `connect` calls and closed by the caller. Their number has no
    limit: each session that waits for its next segment holds one. Idle ones are dropped before the servers' usual
    five seconds, so that a call never meets a connection that is just being closed. A proxy that the environment
    names is not asked: it would see the token."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=3.0)
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain = httpx.AsyncHTTPTransport(verify=nobody, trust_env=False, limits=limits)
    return httpx.AsyncClient(transport=plain, mounts={"https://": _Encrypted(limits)}, trust_env=False)


class _Encrypted(httpx.AsyncBaseTransport):
    """Connections by https, made at the first request: the authorities' certificates take a megabyte of memory, and
    services usually speak http to each other."""

    def __init__(self, limits: httpx.Limits) -> None:
        self._limits = limits
        self._made: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._made is None:
            tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
            self._made = self._made or httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=self._limits)
        return await self._made.handle_async_request(request)

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()


Where = Callable[[], Awaitable[str]]
"""Says where to find a service now; raises Unavailable when nobody knows."""

Shown = Callable[[], Secret]
"""Gives the token to show there."""


def at(url: str) -> Where:
    """A service that is always at the same place."""

    async def where() -> str:
        return url

    return where


def connect(port: type[P], where: Where, shown: Shown, *, http: httpx.AsyncClient | None = None) -> P:
    """The service that `where` finds as an object with the methods of `port`. Without `http` it has connections of
    its own, which its `aclose()` closes. Calls raise what the service raises, and Unavailable when it cannot
    be reached, does not answer in time, or answers with something else. An instance that takes no connection is asked
    once more if `where` knows another: nothing has been sent then."""
    return cast(P, _Remote(port, where, shown, http))


class _Remote:
    def __init__(self, port: type, where: Where, shown: Shown, http: httpx.AsyncClient | None) -> None:
        self._own = None if http else new_http()
        for method in methods_of(port):
            setattr(self, method.name, _Call(method, where, shown, http or cast(httpx.AsyncClient, self._own)))

    async def aclose(self) -> None:
        if self._own is not None:
            await self._own.aclose()


class _Call:
    """One method of a remote service."""

    def __init__(self, method: Method, where: Where, shown: Shown, http: httpx.AsyncClient) -> None:
        self._method = method
        self._where = where
        self._shown = shown
        self._http = http

    async def __call__(self, **values: Any) -> Any:
        content = bytes(values.pop(self._method.body)) if self._method.body in values else None
        sent = {name: value for name, value in values.items() if name not in self._method.lent}
        try:
            arguments = self._method.arguments(**sent)
        except ValidationError as error:
            raise InvalidInput(first_problem(error), field=str(error.errors()[0]["loc"][0])) from None
        response = await self._post(arguments, content)
        if not response.is_success:  # a redirection is no answer either: nobody of ours redirects
            raise _error_of(response, str(response.url))
        if self._method.result is None:
            return response.content
        try:
            return self._method.result.validate_json(response.content)
        except ValidationError as error:
            raise Unavailable(f"{response.url}: answer not understood: {first_problem(error)}") from None

    async def _post(self, arguments: BaseModel, content: bytes | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._shown().reveal()}"}
        if self._method.body:
            shown = arguments.model_dump(mode="json", context={REVEAL: True})
            headers["Content-Type"] = "application/octet-stream"
            headers[ARGUMENTS_HEADER] = json.dumps(shown)
        else:
            headers["Content-Type"] = "application/json"
            content = arguments.model_dump_json(context={REVEAL: True}).encode()
        limit_s = ANSWER_LIMIT_S + float(getattr(arguments, "wait_s", 0.0))
        url = await self._url()
        try:
            try:
                return await self._http.post(url, content=content, headers=headers, timeout=limit_s)
            except httpx.ConnectError:
                if (other := await self._url()) == url:
                    raise
                url = other
                return await self._http.post(url, content=content, headers=headers, timeout=limit_s)
        except httpx.TimeoutException:
            raise Unavailable(f"{url}: no answer within {limit_s:g} s", retry_after_s=RETRY_S) from None
        except httpx.TransportError as error:
            raise Unavailable(f"{url}: {error or type(error).__name__}", retry_after_s=RETRY_S) from None

    async def _url(self) -> str:
        return (await self._where()).rstrip("/") + self._method.path


def _error_of(response: httpx.Response, url: str) -> LucidError:
    """The error that a problem document describes; Unavailable for an answer that is none of ours."""
    problem: Any = None
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            problem = response.json()
        except ValueError:
            problem = None
    kind = str(problem.get("type", "")) if isinstance(problem, dict) else ""
    found = ERRORS.get(kind.removeprefix(_ERROR_TYPE)) if kind.startswith(_ERROR_TYPE) else None
    if found is None:
        return Unavailable(f"{url}: answered with status {response.status_code}")
    return found(str(problem.get("detail", "")), field=problem.get("field"), retry_after_s=problem.get("retry_after_s"))
