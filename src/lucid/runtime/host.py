"""Hosts one service's App over HTTP: health, readiness, metrics, its ports under /rpc, its own routes."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from lucid.catalog.types import Service
from lucid.drivers.http.sockets import listen
from lucid.ports.service import App
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.metrics import measure, metrics_page
from lucid.runtime.openapi import service_document
from lucid.runtime.problems import install_problem_handlers
from lucid.runtime.rpc import rpc_router

CHECK_LIMIT_S = 5.0


def _status_routes(service: Service, app: App) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def health() -> dict[str, str]:
        return {"service": service.name, "status": "ok"}

    @router.get("/ready")
    async def ready() -> JSONResponse:
        failed = {}
        for name, check in app.checks.items():
            try:
                await asyncio.wait_for(check(), CHECK_LIMIT_S)
            except Exception as error:  # noqa: BLE001 - the outermost boundary: any failure means "not ready"
                failed[name] = str(error) or type(error).__name__
        body = {"service": service.name, "status": "not ready" if failed else "ready", "failed": failed}
        return JSONResponse(body, status_code=503 if failed else 200)

    return router


def http_app(service: Service, app: App, guard: ServiceGuard) -> FastAPI:
    """The ASGI application of a service. Only health, readiness and public routes answer to everybody."""
    api = FastAPI(title=service.name, description=service.summary, docs_url=None, redoc_url=None, openapi_url=None)
    install_problem_handlers(api)
    api.middleware("http")(measure(service.name))
    api.include_router(_status_routes(service, app))
    api.include_router(rpc_router(app.provides, guard.rpc))
    if app.api is not None:
        document = service_document(service, app.api)
        api.include_router(app.api, dependencies=[Depends(guard.api)])

        @api.get("/openapi.json", dependencies=[Depends(guard.service)])
        async def openapi() -> JSONResponse:
            return JSONResponse(document)

    if app.routes is not None:
        api.include_router(app.routes, dependencies=[] if service.public_routes else [Depends(guard.service)])

    @api.get("/metrics", dependencies=[Depends(guard.metrics)])
    async def metrics() -> Response:
        return metrics_page()

    return api


class HttpServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the platform and says when it listens."""

    def __init__(self, api: ASGIApp, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(api, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
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
