"""py-consul's client on connections of our own.

Its own asyncio transport loads certificates within the event loop, also where nothing is encrypted, and uses arguments
that aiohttp means to remove; its constructor prefers the environment's CONSUL_HTTP_TOKEN to the token that it is given.
What is used of it are its endpoints and how it understands their answers."""

import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx
from consul import base

from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret

MAX_ANSWER_BYTES = 16 * 1024 * 1024
CONNECT_LIMIT_S = 2.0
_IDLE_CONNECTION_S = 3.0
"""Less than the five seconds after which servers such as ours close idle connections."""


class Client(base.Consul):  # type: ignore[misc]  # the package says nothing of its types
    """Consul's endpoints at `url`; to be made within the event loop. `tls` is needed for https. The caller limits each
    call in time."""

    def __init__(self, url: str, token: Secret | None, tls: ssl.SSLContext | None) -> None:
        where = urlsplit(url)
        if where.scheme not in ("http", "https") or not where.hostname or where.path.strip("/"):
            raise InvalidInput(f"{url}: expected a http or https URL without a path")
        self._tls = tls
        host = f"[{where.hostname}]" if ":" in where.hostname else where.hostname
        port = where.port or (443 if where.scheme == "https" else 80)
        super().__init__(host=host, port=port, scheme=where.scheme, verify=True)
        self.token = (token.reveal() or None) if token else None

    def http_connect(
        self, host: str, port: int, scheme: str, verify: bool | str = True, cert: object = None
    ) -> "Transport":
        return Transport(host, port, scheme, self._tls)


class Transport(base.HTTPClient):  # type: ignore[misc]
    """Requests by httpx, without a proxy, cookies, or redirections: the token goes to Consul alone."""

    def __init__(self, host: str, port: int, scheme: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, scheme)
        self._http = httpx.AsyncClient(
            # One that trusts nobody where nothing is encrypted: certificates take a megabyte.
            verify=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # As it comes, so that what is counted is what is kept.
            headers={"Accept-Encoding": "identity"},
            trust_env=False,
            timeout=httpx.Timeout(None, connect=CONNECT_LIMIT_S),
            # One connection for each service that is followed waits for its change.
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_IDLE_CONNECTION_S),
        )

    async def _ask(self, method: str, callback: Callable[[base.Response], Any], path: str, **given: Any) -> Any:
        url = self.uri(path, given.get("params"))
        headers, data = given.get("headers"), given.get("data")
        async with self._http.stream(method, url, headers=headers, content=data) as answer:
            if answer.is_redirect:
                raise ValueError(f"redirects, with status {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError(f"answers with more than {MAX_ANSWER_BYTES} bytes")
        return callback(base.Response(answer.status_code, answer.headers, body.decode()))

    async def get(self, callback: Callable[[base.Response], Any], path: str, **given: Any) -> Any:
        return await self._ask("GET", callback, path, **given)

    async def put(self, callback: Callable[[base.Response], Any], path: str, **given: Any) -> Any:
        return await self._ask("PUT", callback, path, **given)

    async def delete(self, callback: Callable[[base.Response], Any], path: str, **given: Any) -> Any:
        return await self._ask("DELETE", callback, path, **given)

    async def post(self, callback: Callable[[base.Response], Any], path: str, **given: Any) -> Any:
        return await self._ask("POST", callback, path, **given)

    async def close(self) -> None:
        await self._http.aclose()
