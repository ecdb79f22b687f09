"""HTTP as the api-gateway needs it: a public listener, and exchanges with services that are passed on as they come.

Both are bound by the runtime. Bodies are streams with back-pressure: nothing is read before somebody wants it.
"""

import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp

from lucid.base.errors import Unavailable

Headers = Sequence[tuple[bytes, bytes]]
"""Header fields in order, names in lower case."""


class NotConnected(Unavailable):
    """No connection came about: nothing was sent, so any request may be tried elsewhere."""


class ConnectionBroken(Unavailable):
    """The other side went away, or answered with what is not HTTP, after the request may have reached it."""


class TimedOut(Unavailable):
    """The other side took longer than allowed."""


class Refused(Unavailable):
    """A service did not accept a WebSocket; `code` is the status that it answered with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the service answered with status {code}")
        self.code = code


@dataclass(frozen=True)
class ListenLimits:
    """What one client may cost a listener. Beyond `header_bytes` it is answered 431, and cut off when its request's
    head takes longer than `head_s` seconds or when it stays idle for `idle_s`; `connections` are those of all clients
    together, `message_bytes` one WebSocket message."""

    header_bytes: int
    head_s: float
    idle_s: float
    connections: int
    message_bytes: int


class Listening(Protocol):
    """A listener that accepts."""

    @property
    def port(self) -> int: ...

    def check(self) -> None:
        """Raises Unavailable when it accepts no longer."""
        ...

    async def close(self) -> None:
        """Accept no more, give what runs a second to end, close."""
        ...


class Listener(Protocol):
    """Opens public HTTP and WebSocket doors."""

    async def open(
        self, app: ASGIApp, *, host: str, port: int, tls: ssl.SSLContext | None, limits: ListenLimits
    ) -> Listening:
        """Serve `app` there; port 0 is any free one. Raises InvalidInput when the address cannot be listened on."""
        ...


class Answer(Protocol):
    """An answer whose head has come. `close` it in any case; what was not read by then ends its connection."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def size(self) -> int | None:
        """Bytes of the body, when the head says it."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the body has been read to its end."""
        ...

    async def read(self) -> bytes:
        """What has come of the body, waiting for the first byte; empty at the end. Raises ConnectionBroken when the
        body ends early, TimedOut."""
        ...

    def close(self) -> None: ...


Message = str | bytes
"""A WebSocket message: text or binary."""


class Conversation(Protocol):
    """An open WebSocket."""

    @property
    def subprotocol(self) -> str | None: ...

    async def send(self, message: Message) -> None:
        """Raises ConnectionBroken."""
        ...

    async def receive(self) -> Message | None:
        """The next message; None when the other side has closed, see `closed`."""
        ...

    @property
    def closed(self) -> tuple[int, str]:
        """Code and reason of the closing (RFC 6455 section 7.4)."""
        ...

    async def close(self, code: int, reason: str = "") -> None: ...


class Upstream(Protocol):
    """Asks services over pooled connections. Redirections are answers, bodies are left compressed as they are, cookies
    and proxies of the environment are not used."""

    async def request(
        self, *, method: str, url: str, headers: Headers, body: bytes | AsyncIterator[bytes], answer_s: float
    ) -> Answer:
        """Send a request, whose `url` is used as it is. `answer_s`: limit in seconds from the end of the body to the
        head of the answer. Raises NotConnected, ConnectionBroken, TimedOut; and what reading `body` raises."""
        ...

    async def converse(
        self, *, url: str, headers: Headers, subprotocols: Sequence[str], answer_s: float, message_bytes: int
    ) -> Conversation:
        """Open a WebSocket. Raises NotConnected, TimedOut, and Refused when the service does not want it."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
