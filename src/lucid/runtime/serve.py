"""One service alone: its needs are found through the mesh and bound over HTTP, its create() is the same."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lucid.base.clock import SystemClock
from lucid.base.errors import InvalidInput, Unavailable
from lucid.catalog.keys import METRICS_TOKEN
from lucid.catalog.services import SERVICES
from lucid.catalog.stores import STORES
from lucid.catalog.types import Service
from lucid.crypto.identity import ServiceSigner, ServiceVerifier
from lucid.drivers.http.client import connect, new_http
from lucid.ports.registry import Registry
from lucid.ports.stores import Bus
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.collecting import settled
from lucid.runtime.host import HttpServer, http_app
from lucid.runtime.keyring import open_keyring
from lucid.runtime.locks import own_service
from lucid.runtime.mesh import Mesh
from lucid.runtime.paths import DataDir
from lucid.runtime.problems import problem_response
from lucid.runtime.registry import SERVICE_MESH, registry_of
from lucid.runtime.running import stop_event, unless_stopped
from lucid.runtime.settings import RuntimeSettings
from lucid.runtime.signed_registry import SignedRegistry
from lucid.runtime.stores import StoreConnections
from lucid.runtime.wiring import Built, build, embedded_settings, provider_of

RETRY_S = 0.5
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on

_log = structlog.get_logger()


def service_named(name: str) -> Service:
    """The catalog's service of that name. Raises InvalidInput that lists the names."""
    for service in SERVICES:
        if service.name == name:
            return service
    names = ", ".join(service.name for service in SERVICES)
    raise InvalidInput(f"NAME: expected one of {names}, not {name!r}")


async def serve_until_stopped(name: str, settings: RuntimeSettings) -> int:
    """Run the service until SIGINT or SIGTERM, which end it also while it waits for what it needs; the exit status.
    Raises TimeoutError when the shutdown takes longer than it may."""

    async def serve() -> None:
        async with serve_one(name, settings):
            settled()
            await asyncio.Event().wait()

    await unless_stopped(stop_event(), serve(), limit_s=settings.stop_s)
    return 0


@contextlib.asynccontextmanager
async def serve_one(name: str, settings: RuntimeSettings) -> AsyncIterator[HttpServer]:
    """Run the service while in the context. Raises InvalidInput, and Conflict when the data folder is in use by
    another such service or a whole platform. What it needs may come later: it answers `not ready` until then. The
    stores must be servers that all services reach: only SQLite may be a file that they share."""
    service = service_named(name)
    data = DataDir(settings.data_dir)
    data.create()
    keyring = open_keyring(settings, data)
    clock = SystemClock()
    if Bus in service.needs and not settings.redis_url.reveal():
        raise InvalidInput("LUCID_REDIS_URL: needed by a service alone, which has no Valkey of its own")
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(own_service(data, name))
        front = _Front(service)
        port = service.embedded_port if settings.http_port is None else settings.http_port
        server = HttpServer(front, settings.http_host, port, websockets=bool(service.api))
        stack.push_async_callback(server.stop_serving)
        await server.start_serving()
        stores = await stack.enter_async_context(StoreConnections(settings, data, STORES))
        http = await stack.enter_async_context(new_http())
        own_mesh = server.url if name == SERVICE_MESH else ""
        consul = registry_of(settings, keyring, own_mesh=own_mesh)
        stack.push_async_callback(consul.aclose)
        registry = SignedRegistry(consul, keyring, clock)
        mesh = await stack.enter_async_context(Mesh(registry, ttl_s=settings.mesh_ttl_s))
        signer = ServiceSigner(name, keyring.identity(name), clock)

        async def bind(need: type) -> Any:
            if need is Registry:
                return registry
            if any(need is store.provides for store in STORES):
                return await stores.get(need)
            provider = provider_of(need, SERVICES)
            return connect(need, mesh.where(provider), lambda: signer.token(provider.name), http=http)

        built = await _started(service, lambda: build(service, bind, keyring, data, embedded_settings(service)))
        stack.push_async_callback(built.release)
        stack.push_async_callback(built.app.stop)
        verifier = ServiceVerifier(name, keyring.peers(), clock)
        front.app = http_app(
            service, built.app, ServiceGuard(service, verifier, SERVICES, keyring.private(METRICS_TOKEN))
        )
        mesh.join(service, server.url, address=_advertised(settings))
        # Others stop asking before it stops answering.
        stack.push_async_callback(mesh.leave)
        _log.info("service started", service=name, url=server.url)
        yield server


async def _started(service: Service, make: Callable[[], Awaitable[Built]]) -> Built:
    """The service, built and started as soon as what it needs at its start is there."""
    said = ""
    while True:
        built = await make()
        try:
            await built.app.start()
        except BaseException as error:
            await built.app.stop()
            await built.release()
            if not isinstance(error, Unavailable):
                raise
            if error.detail != said:
                said = error.detail
                _log.warning("waiting for what it needs", service=service.name, detail=said)
            await asyncio.sleep(RETRY_S)
        else:
            return built


def _advertised(settings: RuntimeSettings) -> str:
    """By which address other services reach this one; empty: by the one that it listens on."""
    if settings.advertise_address:
        return settings.advertise_address
    return socket.gethostname() if settings.http_host in _ANY_ADDRESS else ""


class _Front:
    """The ASGI application that listens from the beginning: alive, not ready, until `app` takes over."""

    def __init__(self, service: Service) -> None:
        self.app: ASGIApp | None = None
        self._status = {"service": service.name, "status": "starting"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is not None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/health":
            await JSONResponse(self._status)(scope, receive, send)
        elif scope["type"] == "http":
            starting = Unavailable(f"{self._status['service']} is starting", retry_after_s=1.0)
            await problem_response(starting)(scope, receive, send)
