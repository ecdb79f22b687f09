"""Prometheus metrics that every service has: requests by route and status, and their duration."""

import time
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

REQUESTS = Counter("lucid_http_requests_total", "HTTP requests answered", ("service", "route", "status"))
DURATION = Histogram("lucid_http_request_seconds", "Time to answer an HTTP request", ("service", "route"))


def measure(service: str) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """HTTP middleware that counts the requests of one service."""

    async def middleware(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unmatched")
        REQUESTS.labels(service, route, response.status_code).inc()
        DURATION.labels(service, route).observe(time.perf_counter() - began)
        return response

    return middleware


def metrics_page() -> Response:
    """All metrics of this process in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
