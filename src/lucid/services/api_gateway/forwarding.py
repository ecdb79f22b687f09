"""Passes one request to an instance and its answer back, both as they come."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import structlog
from starlette.types import Receive, Send

from lucid.base.errors import Unavailable
from lucid.ports.http import Answer, ConnectionBroken, NotConnected, TimedOut, Upstream
from lucid.ports.identity import Signer
from lucid.services.api_gateway.errors import BodyTooLarge, ClientGone, ClientTooSlow, ServiceTooSlow
from lucid.services.api_gateway.exchange import Exchange
from lucid.services.api_gateway.instances import Pool, Target
from lucid.services.api_gateway.routing import Match
from lucid.services.api_gateway.settings import ApiGatewaySettings
from lucid.services.api_gateway.streams import Streams

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110 section 9.2.2."""

_RETRY_S = 1.0
_SHORT_BYTES = 65_536
"""Up to this size nobody watches whether the client is still there."""

_log = structlog.get_logger()


class Body:
    """The body of a request on its way to a service, once: within the limits, and only as fast as it is taken."""

    def __init__(self, receive: Receive, fields: Mapping[bytes, bytes], settings: ApiGatewaySettings) -> None:
        self._receive = receive
        self._limit = settings.body_limit_bytes
        self._idle_s = settings.body_idle_s
        self._size = 0
        self._more = b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0"
        length = fields.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limit:
            raise self._too_large()

    @property
    def touched(self) -> bool:
        """Whether something has been taken that could not be taken again."""
        return self._size > 0

    async def content(self) -> bytes | AsyncIterator[bytes]:
        """All of it if it is there already, otherwise a stream."""
        if not self._more:
            return b""
        first = await self._next()
        return self._stream(first) if self._more else first

    async def _stream(self, part: bytes) -> AsyncIterator[bytes]:
        while True:
            if part:
                yield part
            if not self._more:
                return
            part = await self._next()

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._receive()
        except TimeoutError:
            raise ClientTooSlow(f"nothing more of the body came for {self._idle_s:g} s") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._more = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        self._size += len(part)
        if self._size > self._limit:
            raise self._too_large()
        return part

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"a body may have {self._limit} bytes at most")


class Forwarder:
    """Asks services on behalf of people."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        settings: ApiGatewaySettings,
        streams: Streams,
        *,
        upstream: Upstream,
        signer: Signer,
    ) -> None:
        self._pools = pools
        self._settings = settings
        self._streams = streams
        self._upstream = upstream
        self._signer = signer

    async def forward(self, exchange: Exchange, match: Match, receive: Receive, send: Send) -> None:
        """Raises what the client is to be told, as long as no answer has begun; ClientGone."""
        body = Body(receive, exchange.fields, self._settings)
        target, answer = await self._ask(exchange, match, body)
        answered = True
        try:
            await exchange.begin(send, answer.status, exchange.answer_headers(answer.status, answer.headers))
            if answer.size is not None and answer.size <= _SHORT_BYTES:
                await self._finish(exchange, answer, send)
            else:
                await self._relay(exchange, answer, receive, send)
        except (ConnectionBroken, TimedOut) as error:
            # Half an answer is out. Leaving it unfinished breaks the connection, which is how the client learns.
            answered = False
            _log.warning("answer broken off", service=match.operation.service, path=match.target, detail=error.detail)
        finally:
            answer.close()
            target.end(answered=answered)

    async def _ask(self, exchange: Exchange, match: Match, body: Body) -> tuple[Target, Answer]:
        operation = match.operation
        pool = self._pools[operation.service]
        headers = exchange.request_headers(self._signer.token(operation.service, exchange.principal).reveal())
        query = exchange.scope["query_string"]
        path = f"{match.target}?{query.decode()}" if query else match.target
        content = await body.content()
        tried: list[Target] = []
        while True:
            target = pool.choose(tried)
            exchange.instance = target.instance.id
            target.begin()
            answered: bool | None = None
            try:
                answer = await self._upstream.request(
                    method=operation.method,
                    url=target.url + path,
                    headers=headers,
                    body=content,
                    answer_s=self._settings.answer_timeout_s,
                )
                answered = True
                return target, answer
            except TimedOut:
                answered = False
                raise ServiceTooSlow(
                    f"{operation.service} did not answer within {self._settings.answer_timeout_s:g} s"
                ) from None
            except (NotConnected, ConnectionBroken) as error:
                answered = False
                tried.append(target)
                # What may have been done is not asked for again unless twice is as good as once, and what is left of
                # a body that was streamed is not a request.
                again = isinstance(error, NotConnected) or operation.method in _IDEMPOTENT
                if not again or not isinstance(content, bytes) or len(tried) >= self._settings.attempts:
                    raise Unavailable(f"{operation.service}: {error.detail}", retry_after_s=_RETRY_S) from None
                _log.info("asking another instance", service=operation.service, detail=error.detail)
            finally:
                if answered is not True:
                    target.end(answered=answered)

    async def _finish(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        """The body of a short answer."""
        while not answer.ended:
            await exchange.send_body(send, await answer.read(), more=True)
        await exchange.send_body(send, b"", more=False)

    async def _relay(self, exchange: Exchange, answer: Answer, receive: Receive, send: Send) -> None:
        """The body of a long answer, or of one without an end in sight, for as long as the client is there and may
        have it."""
        with self._streams.opened(exchange.principal, age_s=exchange.age_s) as ended:
            watching = [asyncio.create_task(_leave(receive)), asyncio.create_task(_is_set(ended))]
            for watch in watching:
                watch.add_done_callback(lambda _: answer.close())
            try:
                while part := await answer.read():
                    await exchange.send_body(send, part, more=True)
                    if any(watch.done() for watch in watching):
                        raise ClientGone
                await exchange.send_body(send, b"", more=False)
            except ConnectionBroken:
                if any(watch.done() for watch in watching):
                    raise ClientGone from None
                raise
            finally:
                for watch in watching:
                    watch.cancel()
                await asyncio.gather(*watching, return_exceptions=True)


async def _is_set(event: asyncio.Event) -> None:
    await event.wait()


async def _leave(receive: Receive) -> None:
    """Returns when the client has gone. What it still sends of a body nobody wants any more."""
    while (await receive())["type"] != "http.disconnect":
        pass
