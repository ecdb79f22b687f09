"""Requests to servers outside (port Web), by httpx."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import certifi
import httpx

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.ports.web import WebAnswer

LIMIT_S = 10.0
"""For one request from its beginning to its end, in seconds."""

MAX_BYTES = 1 << 20


class HttpxWeb:
    """A connection for each request: they are rare."""

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._tls: ssl.SSLContext | None = None

    async def get(self, *, url: str, bearer: Secret | None = None) -> WebAnswer:
        headers = {"authorization": f"Bearer {bearer.reveal()}"} if bearer else {}
        return await self._ask(_request("GET", url, headers=headers))

    async def post_form(
        self, *, url: str, fields: Mapping[str, str], login: tuple[str, Secret] | None = None
    ) -> WebAnswer:
        request = _request("POST", url, data=dict(fields))
        if login is not None:
            # OAuth wants both parts encoded as in a form (RFC 6749 section 2.3.1).
            name, password = quote_plus(login[0]), quote_plus(login[1].reveal())
            request = next(httpx.BasicAuth(name, password).auth_flow(request))
        return await self._ask(request)

    async def _ask(self, request: httpx.Request) -> WebAnswer:
        request.headers["accept"] = "application/json"
        where = request.url.host
        try:
            async with asyncio.timeout(self._limit_s):
                if self._tls is None:
                    self._tls = await asyncio.to_thread(_tls)
                async with httpx.AsyncClient(verify=self._tls, trust_env=False) as client:
                    return await _whole(await client.send(request, stream=True))
        except TimeoutError:
            raise Unavailable(f"{where} does not answer in time") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"{where} does not answer: {type(error).__name__}") from None


def _request(method: str, url: str, **parts: Any) -> httpx.Request:
    try:
        return httpx.Request(method, url, **parts)
    except httpx.InvalidURL as error:
        raise Unavailable(f"not an address: {error}") from None


async def _whole(response: httpx.Response) -> WebAnswer:
    body = bytearray()
    try:
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_BYTES:
                raise Unavailable(f"{response.request.url.host} answers with more than {MAX_BYTES} bytes")
    finally:
        await response.aclose()
    return WebAnswer(response.status_code, bytes(body))


def _tls() -> ssl.SSLContext:
    """Trusts what the system trusts (SSL_CERT_FILE adds to that), and Mozilla's list where the system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
