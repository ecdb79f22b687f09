"""A public HTTP listener (port Listener): uvicorn, with the limits that it lacks towards strangers."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server

from lucid.base.errors import Unavailable
from lucid.drivers.http.sockets import BACKLOG, listen
from lucid.ports.http import Listening, ListenLimits


class UvicornListener:
    """Opens doors that uvicorn serves, on the running event loop."""

    async def open(
        self, app: ASGIApp, *, host: str, port: int, tls: ssl.SSLContext | None, limits: ListenLimits
    ) -> Listening:
        door = _Door(app, listen(host, port), tls, limits)
        await door.start()
        return door


class _Door(Server):
    """One listening socket and its connections. Signals are left to the platform."""

    def __init__(self, app: ASGIApp, listener: socket.socket, tls: ssl.SSLContext | None, limits: ListenLimits) -> None:
        protocol = type("Connection", (_Connection,), {"limits": limits})
        config = Config(
            app,
            http=protocol,
            ws="websockets-sansio",
            ws_max_size=limits.message_bytes,
            ws_per_message_deflate=False,  # a small message may unpack to a large one, for each of many clients
            timeout_keep_alive=max(1, int(limits.idle_s)),
            timeout_graceful_shutdown=1,
            backlog=BACKLOG,
            ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
        )
        super().__init__(config)
        self._socket = listener
        self.port = int(listener.getsockname()[1])
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self) -> None:
        self._task = asyncio.create_task(self.serve(sockets=[self._socket]), name=f"door:{self.port}")

    def check(self) -> None:
        if self._task is None or self._task.done():
            raise Unavailable(f"the listener on port {self.port} is closed")

    async def close(self) -> None:
        self.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, which by itself waits for a request's head for ever and takes one of any size."""

    limits: ListenLimits
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _refusal = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Between requests, some bytes that do not make a head yet: the keep-alive timer has been stopped for them.
        between = self.cycle is not None and self.cycle.response_complete and self in self.connections
        if between and self._deadline is None and self.timeout_keep_alive_task is None:
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse with a problem document; uvicorn calls this for whatever its parser does not take."""
        status = self._refusal
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.header_bytes:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError("the head is too large")  # the parser turns it into its own error

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.limits.head_s, self._too_slow)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self._refusal = HTTPStatus.REQUEST_TIMEOUT
        if not self.transport.is_closing():
            self.send_400_response("")
