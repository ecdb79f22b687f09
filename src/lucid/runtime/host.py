"""Hosts one service's App over HTTP: health, readiness, metrics, its ports under /rpc, its own routes."""

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import Server

from lucid.catalog.types import Service
from lucid.drivers.http.sockets import listen
from lucid.ports.service import App
from lucid.runtime.auth import Check, ServiceGuard
from lucid.runtime.metrics import measure, metrics_page
from lucid.runtime.problems import install_problem_handlers
from lucid.runtime.rpc import rpc_routes

CHECK_LIMIT_S = 5.0


def http_app(service: Service, app: App, guard: ServiceGuard) -> Starlette:
    """The ASGI application of a service. Only health, readiness and public routes answer to everybody."""
    if app.api is None:
        api = Starlette()
    else:
        from lucid.runtime.public_api import public_api

        api = public_api(service, app.api, guard)
    install_problem_handlers(api)
    api.add_middleware(BaseHTTPMiddleware, dispatch=measure(service.name))
    further = app.routes if service.public_routes else [_guarded(route, guard.service) for route in app.routes]
    own = [*_status_routes(service, app), _metrics_route(guard), *rpc_routes(app.provides, guard.rpc)]
    api.router.routes[:0] = [*own, *further]
    return api


def _status_routes(service: Service, app: App) -> list[Route]:
    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"service": service.name, "status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        failed = {}
        for name, check in app.checks.items():
            try:
                await asyncio.wait_for(check(), CHECK_LIMIT_S)
            except Exception as error:  # noqa: BLE001 - the outermost boundary: any failure means "not ready"
                failed[name] = str(error) or type(error).__name__
        body = {"service": service.name, "status": "not ready" if failed else "ready", "failed": failed}
        return JSONResponse(body, status_code=503 if failed else 200)

    return [Route("/health", health), Route("/ready", ready)]


def _metrics_route(guard: ServiceGuard) -> Route:
    async def metrics(_: Request) -> Response:
        return metrics_page()

    return _guarded(Route("/metrics", metrics), guard.metrics)


def _guarded(route: Route, check: Check) -> Route:
    """The route for those whom `check` lets through."""

    async def endpoint(request: Request) -> Response:
        await check(request)
        answer: Response = await route.endpoint(request)
        return answer

    return Route(route.path, endpoint, methods=list(route.methods or ()))


class HttpServer(Server):
    """A uvicorn server that leaves signals to the platform and says when it listens. Without `websockets` it does not
    load what serves them."""

    def __init__(self, api: ASGIApp, host: str, port: int, *, websockets: bool = True) -> None:
        super().__init__(
            Config(
                api,
                ws="auto" if websockets else "none",
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._socket = listen(host, port, advice=" (LUCID_HTTP_PORT=0: any free port)")
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start_serving(self) -> None:
        """Begin to answer; returns at once, the socket accepts already."""
        self._task = asyncio.create_task(self.serve(sockets=[self._socket]), name=f"http:{self.url}")

    async def stop_serving(self) -> None:
        """Stop accepting, finish what runs, close."""
        self.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
