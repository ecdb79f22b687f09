"""One request as the gateway sees it, and how it is answered."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope, Send

from lucid.base.errors import LucidError
from lucid.model.principal import Principal
from lucid.ports.http import Headers
from lucid.services.api_gateway.errors import CLOSING, Malformed, problem_of
from lucid.services.api_gateway.routing import Match
from lucid.wire.http.fields import HOP_BY_HOP, Network, client_address, nominated, request_id
from lucid.wire.http.trace import Trace, next_hop

_NEVER_PASSED = HOP_BY_HOP | {
    b"authorization",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"origin",
    b"traceparent",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"x-request-id",
}
"""Fields of a request that a service does not get from the client: those of this connection, the client's credentials,
and those that the gateway says itself."""

_OURS = b"lucid-"
_OWN_COOKIE = b"lucid_"
"""Only such cookies pass, and only with public operations: a login through another site needs one between its steps.
Nothing that needs a token takes it from a cookie."""

_NEVER_ANSWERED = HOP_BY_HOP | {b"date", b"server", b"set-cookie", b"x-request-id", b"traceresponse"}
_ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"host", b"traceparent", b"x-request-id"})

_SECURITY: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_CACHEABLE = frozenset({200, 304})
_NO_STORE = (b"cache-control", b"no-store")


@dataclass(slots=True)
class Exchange:
    """A request and what has become of it so far. `fields` are those that may be there once, by name."""

    scope: Scope
    fields: Mapping[bytes, bytes]
    client: str
    request_id: str
    trace: Trace
    began: float = field(default_factory=time.perf_counter)
    match: Match | None = None
    principal: Principal | None = None
    limits: Headers = ()
    cors: list[tuple[bytes, bytes]] = field(default_factory=list)
    instance: str = ""
    status: int = 0
    sent_bytes: int = 0

    @classmethod
    def of(cls, scope: Scope, trusted: Sequence[Network]) -> "Exchange":
        headers: Headers = scope["headers"]
        fields = dict(headers)
        peer = scope["client"][0] if scope["client"] else ""
        client = client_address(peer, headers, trusted) if trusted else peer
        return cls(scope, fields, client, request_id(fields.get(b"x-request-id")), next_hop(fields.get(b"traceparent")))

    def check(self) -> None:
        """Raises Malformed for a request of which two readers could understand two things."""
        headers: Headers = self.scope["headers"]
        if len(self.fields) != len(headers):
            seen = set()
            for name, _ in headers:
                if name in seen and name in _ONCE:
                    raise Malformed(f"the header {name.decode('latin-1')} is there twice")
                seen.add(name)
        if self.scope["http_version"] not in ("1.0", "1.1"):
            raise Malformed("this version of HTTP is not spoken here")
        if b"host" not in self.fields and self.scope["http_version"] == "1.1":
            raise Malformed("the header host is missing")
        try:
            raw: bytes = self.scope["raw_path"]
            (raw + self.scope["query_string"]).decode("ascii")
        except UnicodeDecodeError:
            raise Malformed("the path is not ASCII") from None

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def age_s(self) -> float:
        """How long ago it came."""
        return time.perf_counter() - self.began

    @property
    def secure(self) -> bool:
        return self.scope["scheme"] in ("https", "wss")

    @property
    def _public(self) -> bool:
        return self.match is not None and self.match.operation.permission is None

    def request_headers(self, token: str) -> list[tuple[bytes, bytes]]:
        """What the service gets: the client's fields without those that are not for it, and the gateway's own."""
        headers: Headers = self.scope["headers"]
        not_passed = _NEVER_PASSED
        if b"connection" in self.fields:
            not_passed |= nominated(headers)
        passed = [
            (name, value)
            for name, value in headers
            if name not in not_passed and not name.startswith(_OURS) and b"_" not in name
        ]
        if b"cookie" in self.fields and self._public and (kept := _own_cookies(headers)):
            passed.append((b"cookie", kept))
        if not self.trace.continued:
            passed = [(name, value) for name, value in passed if name != b"tracestate"]
        passed += (
            (b"authorization", b"Bearer " + token.encode()),
            (b"x-request-id", self.request_id.encode()),
            (b"traceparent", self.trace.parent),
            (b"x-forwarded-for", self.client.encode()),
            (b"x-forwarded-proto", b"https" if self.secure else b"http"),
        )
        return passed

    def answer_headers(self, status: int, headers: Headers) -> list[tuple[bytes, bytes]]:
        """A service's header fields as the client gets them, and the gateway's own."""
        cacheable = self.match is not None and self.match.operation.cacheable and status in _CACHEABLE
        dropped = _NEVER_ANSWERED
        if any(name == b"connection" for name, _ in headers):
            dropped |= nominated(headers)
        own = self._own_headers(cacheable)
        named = {name for name, _ in own}
        kept = [(name, value) for name, value in headers if name not in dropped and name not in named]
        if self._public:
            kept += [field for field in headers if field[0] == b"set-cookie" and field[1].startswith(_OWN_COOKIE)]
        return kept + own

    def _own_headers(self, cacheable: bool) -> list[tuple[bytes, bytes]]:
        own = [
            (b"x-request-id", self.request_id.encode()),
            (b"traceresponse", self.trace.parent),
            *_SECURITY,
            *self.limits,
            *self.cors,
        ]
        if self.secure:
            own.append(_HSTS)
        if not cacheable:
            own.append(_NO_STORE)
        return own

    def problem(self, error: LucidError) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Header fields and body that tell the client of `error`."""
        headers, body = problem_of(error, {"request_id": self.request_id})
        return headers + self._own_headers(cacheable=False), body

    async def begin(self, send: Send, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of the answer; nothing else can be answered from then on."""
        self.status = status
        await send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_body(self, send: Send, body: bytes, *, more: bool) -> None:
        self.sent_bytes += len(body)
        await send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer_own(self, send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
        """An answer of the gateway itself."""
        own = [*headers, *self._own_headers(cacheable=False)]
        if status not in (204, 304):
            own.append((b"content-length", b"%d" % len(body)))
        await self.begin(send, status, own)
        await self.send_body(send, body, more=False)

    async def refuse(self, send: Send, error: LucidError) -> None:
        headers, body = self.problem(error)
        if isinstance(error, CLOSING):
            headers.append((b"connection", b"close"))
        await self.begin(send, error.status, headers)
        await self.send_body(send, body, more=False)

    def log_fields(self) -> dict[str, Any]:
        """The access log's line. The query is left out: it may hold what people search for."""
        operation = self.match.operation if self.match else None
        return {
            "method": self.scope.get("method", "WEBSOCKET"),
            "path": self.scope["path"],
            "status": self.status,
            "ms": round(self.age_s * 1000, 1),
            "bytes": self.sent_bytes,
            "client": self.client,
            "user": self.principal.user if self.principal else "",
            "service": operation.service if operation else "",
            "instance": self.instance,
            "request": self.request_id,
            "trace": self.trace.id,
        }


def _own_cookies(headers: Headers) -> bytes:
    pairs = [pair.strip() for name, value in headers if name == b"cookie" for pair in value.split(b";")]
    return b"; ".join(pair for pair in pairs if pair.startswith(_OWN_COOKIE))
