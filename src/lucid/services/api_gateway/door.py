"""What happens to a request at the door, in order: understood, routed, authenticated, counted, permitted, forwarded."""

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from starlette.types import Receive, Scope, Send

from lucid.base.errors import Forbidden, LucidError, TooManyRequests
from lucid.ports.stores import Hit
from lucid.services.api_gateway.authentication import Authenticator, bearer_token
from lucid.services.api_gateway.document import DOCUMENT_PATH
from lucid.services.api_gateway.errors import ClientGone, MethodNotAllowed, UpgradeRequired
from lucid.services.api_gateway.exchange import Exchange
from lucid.services.api_gateway.forwarding import Forwarder
from lucid.services.api_gateway.limits import Limits
from lucid.services.api_gateway.routing import Match, Operation, Routes
from lucid.services.api_gateway.settings import ApiGatewaySettings
from lucid.services.api_gateway.websockets import WebSockets, split_protocols
from lucid.wire.http.fields import limit_key

WINDOW_S = 60.0
_CORS_HEADERS = b"authorization, content-type, x-request-id, traceparent, tracestate, last-event-id"
_CORS_EXPOSED = b"x-request-id, ratelimit, ratelimit-policy, retry-after, content-disposition"
_CORS_AGE_S = b"600"
_COUNTED = {"address": "address", "login": "address that shows no token", "user": "user", "token": "token"}
_DOCUMENT = Operation("api-gateway", "GET", DOCUMENT_PATH, None)
_log = structlog.get_logger()


@dataclass(slots=True)
class Published:
    """What the door serves now; replaced as a whole when a service's document changes."""

    routes: Routes
    document: bytes


class Door:
    """The ASGI application."""

    def __init__(
        self,
        published: Published,
        settings: ApiGatewaySettings,
        *,
        authenticator: Authenticator,
        limits: Limits,
        forwarder: Forwarder,
        websockets: WebSockets,
    ) -> None:
        self.published = published
        self._settings = settings
        self._authenticator = authenticator
        self._limits = limits
        self._forwarder = forwarder
        self._websockets = websockets
        self._trusted = tuple(ipaddress.ip_network(text) for text in settings.trusted_proxies)
        self._origins = frozenset(origin.encode() for origin in settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange.of(scope, self._trusted)
        serve = self._http if scope["type"] == "http" else self._websocket
        try:
            await serve(exchange, receive, send)
        except LucidError as error:
            await self._refuse(exchange, send, error)
        except ClientGone:
            pass
        except Exception:  # noqa: BLE001 - the outermost boundary of a request: the client is told nothing of a bug
            _log.exception("unexpected error", path=scope["path"], request=exchange.request_id)
            await self._refuse(exchange, send, LucidError("an unexpected error; the gateway's log has it"))
        finally:
            if self._settings.access_log:
                _log.info("request", **exchange.log_fields())

    async def _http(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        exchange.check()
        if self._origins:
            self._allow_origin(exchange)
            if exchange.method == "OPTIONS" and b"access-control-request-method" in exchange.fields:
                await self._preflight(exchange, send)
                return
        failure, match = None, None
        try:
            match = exchange.match = self._match(exchange, exchange.method)
            if match.operation.websocket:
                raise UpgradeRequired("this path is a WebSocket")
        except LucidError as error:
            failure = error
        await self._admit(exchange, match, exchange.fields.get(b"authorization"), failure)
        assert match is not None  # or _admit has raised
        if match.operation is _DOCUMENT:
            headers = [(b"content-type", b"application/json")]
            await exchange.answer_own(send, 200, headers, self.published.document)
        else:
            await self._forwarder.forward(exchange, match, receive, send)

    async def _websocket(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        exchange.check()
        token, _ = split_protocols(exchange.scope["subprotocols"])
        shown = exchange.fields.get(b"authorization")
        if shown is None and token is not None:
            shown = b"Bearer " + token.encode()
        failure, match = None, None
        try:
            self._check_origin(exchange)
            match = exchange.match = self._match(exchange, "GET")
            if not match.operation.websocket:
                raise MethodNotAllowed(frozenset({match.operation.method}))
        except LucidError as error:
            failure = error
        await self._admit(exchange, match, shown, failure)
        assert match is not None  # or _admit has raised
        await self._websockets.pass_through(exchange, match, receive, send)

    def _match(self, exchange: Exchange, method: str) -> Match:
        path: str = exchange.scope["path"]
        if path == DOCUMENT_PATH:
            if method != "GET":
                raise MethodNotAllowed(frozenset({"GET"}))
            return Match(_DOCUMENT, path)
        return self.published.routes.match(method, path, exchange.scope["raw_path"].decode("ascii"))

    async def _admit(
        self, exchange: Exchange, match: Match | None, shown: bytes | None, failure: LucidError | None
    ) -> None:
        """Raises what stands against the request, `failure` among it; but first that it is one too many, so that
        nobody can try out tokens or paths faster than others can ask."""
        operation = match.operation if match else None
        permission = operation.permission if operation else None
        token = None
        if failure is None and permission is not None:
            try:
                token = bearer_token(shown)
                exchange.principal = self._authenticator.recall(token)
            except LucidError as error:
                failure = error
        await self._count(exchange, [self._address(exchange, operation), *self._person(exchange)])
        if failure is not None:
            raise failure
        if permission is None or token is None:
            return
        if exchange.principal is None:
            exchange.principal = await self._authenticator.ask(token)
            await self._count(exchange, self._person(exchange))
        if not exchange.principal.may(permission):
            raise Forbidden(f"this needs the permission {permission.value}")

    def _address(self, exchange: Exchange, operation: Operation | None) -> Hit:
        if operation is not None and operation.strict:
            return Hit(f"login:{limit_key(exchange.client)}", self._settings.logins_per_minute_address, WINDOW_S)
        return Hit(f"address:{limit_key(exchange.client)}", self._settings.requests_per_minute_address, WINDOW_S)

    def _person(self, exchange: Exchange) -> list[Hit]:
        if (principal := exchange.principal) is None:
            return []
        return [
            Hit(f"user:{principal.user}", self._settings.requests_per_minute_user, WINDOW_S),
            Hit(f"token:{principal.token}", self._settings.requests_per_minute_token, WINDOW_S),
        ]

    async def _count(self, exchange: Exchange, hits: Sequence[Hit]) -> None:
        """Count, and tell the client of the limit that it will reach first. Raises TooManyRequests."""
        allowances = await self._limits.spend(hits)
        hit, nearest = min(
            zip(hits, allowances, strict=True), key=lambda pair: (-pair[1].wait_s, pair[1].left / pair[0].limit)
        )
        kind = hit.key.partition(":")[0]
        exchange.limits = (
            (b"ratelimit-policy", f'"{kind}";q={hit.limit};w={WINDOW_S:.0f}'.encode()),
            (b"ratelimit", f'"{kind}";r={nearest.left};t={math.ceil(nearest.whole_s)}'.encode()),
        )
        if nearest.wait_s:
            raise TooManyRequests(
                f"at most {hit.limit} requests a minute for one {_COUNTED[kind]}", retry_after_s=nearest.wait_s
            )

    def _allow_origin(self, exchange: Exchange) -> None:
        exchange.cors = [(b"vary", b"origin")]
        origin = exchange.fields.get(b"origin")
        if origin in self._origins:
            exchange.cors += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _CORS_EXPOSED),
            ]

    async def _preflight(self, exchange: Exchange, send: Send) -> None:
        """What a browser asks before it lets another origin's page make a request (Fetch standard, CORS)."""
        headers: list[tuple[bytes, bytes]] = []
        methods = self.published.routes.methods(exchange.scope["path"])
        if exchange.fields.get(b"origin") in self._origins and methods:
            headers = [
                (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
                (b"access-control-allow-headers", _CORS_HEADERS),
                (b"access-control-max-age", _CORS_AGE_S),
            ]
        await exchange.answer_own(send, 204, headers)

    def _check_origin(self, exchange: Exchange) -> None:
        """A browser lets any page open a WebSocket, so the page's origin is checked here: our own, or an allowed one.
        Raises Forbidden."""
        origin = exchange.fields.get(b"origin")
        if origin is None or origin in self._origins:
            return
        scheme = b"https" if exchange.secure else b"http"
        if origin != scheme + b"://" + exchange.fields.get(b"host", b""):
            raise Forbidden("pages of this origin may not open a WebSocket here")

    async def _refuse(self, exchange: Exchange, send: Send, error: LucidError) -> None:
        if exchange.status:
            return  # an answer has begun; leaving it unfinished breaks the connection
        if exchange.scope["type"] == "http":
            await exchange.refuse(send, error)
        else:
            exchange.status = error.status
            headers, body = exchange.problem(error)
            start = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
