"""Requests to services, passed on as they come (port Upstream), by aiohttp's client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import cast

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from lucid.base.errors import InvalidInput
from lucid.ports.http import (
    Answer,
    ConnectionBroken,
    Conversation,
    Headers,
    Message,
    NotConnected,
    Refused,
    TimedOut,
)

_IDLE_CONNECTION_S = 3.0
"""Less than the five seconds after which services close idle connections, so that hardly any request meets that."""

_ABNORMAL = 1006
_AUTOMATIC = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class AiohttpUpstream:
    """Pooled connections, opened at the first request. `idle_s`: how long an answer's body may pause."""

    def __init__(self, *, connect_s: float = 2.0, idle_s: float = 120.0) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=idle_s)
        self._opened: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_CONNECTION_S, ttl_dns_cache=10),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_AUTOMATIC,
                auto_decompress=False,
                trust_env=False,
                timeout=self._timeout,
                read_bufsize=128 * 1024,
            )
            # Whether it is safe to try again is the caller's decision. aiohttp's own test client has this switch only.
            self._opened._retry_connection = False
        return self._opened

    async def request(
        self, *, method: str, url: str, headers: Headers, body: bytes | AsyncIterator[bytes], answer_s: float
    ) -> Answer:
        loop = asyncio.get_running_loop()
        source: _Source | None = None
        try:
            async with asyncio.timeout(answer_s) as limit:
                if not isinstance(body, bytes):
                    limit.reschedule(None)
                    source = _Source(body, lambda: limit.reschedule(loop.time() + answer_s))
                response = await self._session().request(
                    method,
                    URL(url, encoded=True),
                    headers=_multidict(headers),
                    data=source.chunks() if source else body or None,
                    allow_redirects=False,
                )
                if source is not None:
                    source.ended = None  # the answer may come before the body is through
        except (aiohttp.ClientError, OSError) as error:  # OSError: TimeoutError is one
            if source is not None and source.failure is not None:
                raise source.failure from None
            raise _failure(error) from None
        return _Answer(response)

    async def converse(
        self, *, url: str, headers: Headers, subprotocols: Sequence[str], answer_s: float, message_bytes: int
    ) -> Conversation:
        try:
            async with asyncio.timeout(answer_s):
                socket = await self._session().ws_connect(
                    URL(url, encoded=True),
                    headers=_multidict(headers),
                    protocols=subprotocols,
                    max_msg_size=message_bytes,
                    autoclose=False,
                    heartbeat=None,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise Refused(error.status) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error) from None
        return _Conversation(socket)

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None


class _Source:
    """A body on its way out: tells once when it has ended, and remembers its own failure, which aiohttp would hide in
    one of the connection's."""

    def __init__(self, body: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        self._body = body
        self.ended: Callable[[], None] | None = ended
        self.failure: Exception | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._body:
                yield chunk
        except Exception as error:
            self.failure = error
            raise
        if self.ended is not None:
            self.ended()


class _Answer:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.size = response.content_length
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]

    @property
    def ended(self) -> bool:
        return self._response.content.at_eof()

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error) from None

    def close(self) -> None:
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class _Conversation:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.subprotocol = socket.protocol
        self.closed = (_ABNORMAL, "")

    async def send(self, message: Message) -> None:
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error) from None

    async def receive(self) -> Message | None:
        while True:
            message = await self._socket.receive()
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return cast(Message, message.data)
            if message.type is aiohttp.WSMsgType.CLOSE:
                self.closed = (int(message.data), message.extra or "")
                return None
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR):
                return None

    async def close(self, code: int, reason: str = "") -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self._socket.close(code=code, message=reason.encode())


def _multidict(headers: Headers) -> CIMultiDict[str]:
    """Raises InvalidInput for a value that is not UTF-8, which the client could not send unchanged."""
    try:
        return CIMultiDict([(name.decode("ascii"), value.decode()) for name, value in headers])
    except UnicodeDecodeError:
        raise InvalidInput("a header is not valid UTF-8") from None


def _failure(error: Exception) -> NotConnected | ConnectionBroken | TimedOut:
    """What a failure of aiohttp means for whoever may try again."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotConnected("the service takes no connection")
    if isinstance(error, TimeoutError):
        return TimedOut("the service did not answer in time")
    return ConnectionBroken("the service ended the connection")
