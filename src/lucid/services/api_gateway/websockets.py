"""Passes a WebSocket through to an instance: messages both ways, one at a time, and how it was closed."""

import asyncio
from collections.abc import Mapping

from starlette.types import Receive, Send

from lucid.base.errors import Forbidden, LucidError, NotFound, Unauthenticated, Unavailable
from lucid.ports.http import ConnectionBroken, Conversation, Message, NotConnected, Refused, TimedOut, Upstream
from lucid.ports.identity import Signer
from lucid.services.api_gateway.errors import ServiceTooSlow
from lucid.services.api_gateway.exchange import Exchange
from lucid.services.api_gateway.instances import Pool, Target
from lucid.services.api_gateway.routing import Match
from lucid.services.api_gateway.settings import ApiGatewaySettings
from lucid.services.api_gateway.streams import Streams

TOKEN_PROTOCOL = "lucid.bearer."  # noqa: S105 - the rest of such a subprotocol is the token
"""Browsers cannot set headers on a WebSocket, but they can name subprotocols."""

_GOING_AWAY = 1001
_POLICY_VIOLATION = 1008
_INTERNAL_ERROR = 1011
_NO_CODE = 1005
_ABNORMAL = 1006
_LOGIN_ENDED = "the login was ended"
_RETRY_S = 1.0
_REFUSALS: dict[int, type[LucidError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}


def split_protocols(offered: list[str]) -> tuple[str | None, list[str]]:
    """The token among the subprotocols that a client offers, and the others, which are the service's."""
    tokens = [name.removeprefix(TOKEN_PROTOCOL) for name in offered if name.startswith(TOKEN_PROTOCOL)]
    return (tokens[0] if tokens else None), [name for name in offered if not name.startswith(TOKEN_PROTOCOL)]


class WebSockets:
    """Opens WebSockets to services on behalf of people."""

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

    async def pass_through(self, exchange: Exchange, match: Match, receive: Receive, send: Send) -> None:
        """Raises what the client is to be told, as long as its WebSocket is not accepted."""
        _, protocols = split_protocols(exchange.scope["subprotocols"])
        target, conversation = await self._open(exchange, match, protocols)
        try:
            exchange.status = 101
            chosen = conversation.subprotocol
            if chosen is None:
                # A browser that offered subprotocols gives up unless one of them is chosen.
                offered = exchange.scope["subprotocols"]
                chosen = next((name for name in offered if name.startswith(TOKEN_PROTOCOL)), None)
            headers = exchange.answer_headers(101, ())
            await send({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
            with self._streams.opened(exchange.principal, age_s=exchange.age_s) as ended:
                await self._talk(exchange, conversation, ended, receive, send)
        finally:
            await conversation.close(_GOING_AWAY)
            target.end(answered=True)

    async def _open(self, exchange: Exchange, match: Match, protocols: list[str]) -> tuple[Target, Conversation]:
        service = match.operation.service
        pool = self._pools[service]
        token = self._signer.token(service, exchange.principal).reveal()
        headers = [
            (name, value) for name, value in exchange.request_headers(token) if not name.startswith(b"sec-websocket-")
        ]
        query = exchange.scope["query_string"].decode()
        tried: list[Target] = []
        while True:
            target = pool.choose(tried)
            exchange.instance = target.instance.id
            target.begin()
            try:
                conversation = await self._upstream.converse(
                    url=target.url + match.target + (f"?{query}" if query else ""),
                    headers=headers,
                    subprotocols=protocols,
                    answer_s=self._settings.answer_timeout_s,
                    message_bytes=self._settings.websocket_message_bytes,
                )
            except NotConnected as error:
                target.end(answered=False)
                tried.append(target)
                if len(tried) >= self._settings.attempts:
                    raise Unavailable(f"{service}: {error.detail}", retry_after_s=_RETRY_S) from None
            except Refused as refused:
                target.end(answered=True)
                raise _REFUSALS.get(refused.code, Unavailable)(f"{service}: {refused.detail}") from None
            except TimedOut:
                target.end(answered=False)
                raise ServiceTooSlow(f"{service} did not answer in time") from None
            except BaseException:
                target.end(answered=None)
                raise
            else:
                return target, conversation

    async def _talk(
        self, exchange: Exchange, conversation: Conversation, ended: asyncio.Event, receive: Receive, send: Send
    ) -> None:
        """Until one side closes, and the other is closed the same way; or until `ended`, and both are told."""
        out = asyncio.create_task(_to_service(conversation, receive))
        back = asyncio.create_task(_to_client(exchange, conversation, send))
        over = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait({out, back, over}, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                await conversation.close(_POLICY_VIOLATION, _LOGIN_ENDED)
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": _LOGIN_ENDED})
            elif out.done():
                code, reason = out.result()
                await conversation.close(_sendable(code, _GOING_AWAY), reason)
            else:
                code, reason = back.result()
                await send({"type": "websocket.close", "code": _sendable(code, _INTERNAL_ERROR), "reason": reason})
        finally:
            for task in (out, back, over):
                task.cancel()
            await asyncio.gather(out, back, over, return_exceptions=True)


async def _to_service(conversation: Conversation, receive: Receive) -> tuple[int, str]:
    """Returns how the client closed."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return message.get("code") or _NO_CODE, message.get("reason") or ""
        if message["type"] == "websocket.receive":
            content: Message | None = message.get("text")
            try:
                await conversation.send(message["bytes"] if content is None else content)
            except ConnectionBroken:
                return _ABNORMAL, ""


async def _to_client(exchange: Exchange, conversation: Conversation, send: Send) -> tuple[int, str]:
    """Returns how the service closed."""
    while True:
        try:
            message = await conversation.receive()
        except (ConnectionBroken, TimedOut):
            return _ABNORMAL, ""
        if message is None:
            return conversation.closed
        exchange.sent_bytes += len(message)
        kind = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", kind: message})


def _sendable(code: int, otherwise: int) -> int:
    """1005 and 1006 say that no code came, and are not sent themselves (RFC 6455 section 7.4.1)."""
    return otherwise if code in (_NO_CODE, _ABNORMAL) else code
