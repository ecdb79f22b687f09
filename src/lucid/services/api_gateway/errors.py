"""Refusals that only an HTTP proxy knows, and every error as the answer that clients see (RFC 9457)."""

import json
import math
from collections.abc import Mapping
from typing import Any

from lucid.base.errors import InvalidInput, LucidError

PROBLEM_TYPE = b"application/problem+json"


class MethodNotAllowed(LucidError):
    """The path exists, with other methods."""

    slug, status, title = "method-not-allowed", 405, "Method not allowed"

    def __init__(self, allowed: frozenset[str]) -> None:
        self.allow = ", ".join(sorted(allowed))
        super().__init__(f"this path knows {self.allow}")


class ClientTooSlow(LucidError):
    """The client stopped in the middle of its body."""

    slug, status, title = "client-too-slow", 408, "Request timeout"


class BodyTooLarge(LucidError):
    """The body is larger than the gateway lets pass."""

    slug, status, title = "body-too-large", 413, "Body too large"


class UpgradeRequired(LucidError):
    """The path is that of a WebSocket."""

    slug, status, title = "upgrade-required", 426, "WebSocket required"


class Malformed(InvalidInput):
    """A request that the gateway and a service might understand differently."""


CLOSING = (BodyTooLarge, ClientTooSlow, Malformed)
"""After these the connection ends: what follows on it is the rest of a body, or cannot be trusted to be a request."""


class ServiceTooSlow(LucidError):
    """The service did not begin its answer in time."""

    slug, status, title = "service-too-slow", 504, "Service timeout"


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


def problem_of(error: LucidError, extra: Mapping[str, Any]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of the answer that tells `error`; `extra` members stand in the document too."""
    problem: dict[str, Any] = {
        "type": f"urn:lucid:error:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **extra,
    }
    headers = [(b"content-type", PROBLEM_TYPE)]
    if error.field is not None:
        problem["field"] = error.field
    if error.retry_after_s is not None:
        problem["retry_after_s"] = error.retry_after_s
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="lucid"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    body = json.dumps(problem).encode()
    return [*headers, (b"content-length", b"%d" % len(body))], body
