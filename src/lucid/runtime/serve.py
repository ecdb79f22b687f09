"""One service alone: its needs are bound over HTTP and to the stores, its create() is the same."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import structlog

from lucid.base.errors import InvalidInput
from lucid.catalog.keys import SERVICE_TOKEN
from lucid.catalog.services import SERVICES
from lucid.catalog.stores import STORES
from lucid.catalog.types import Service
from lucid.drivers.http.client import connect, new_http
from lucid.ports.stores import Bus
from lucid.runtime.host import HttpServer, http_app
from lucid.runtime.keyring import Keyring
from lucid.runtime.locks import own_service
from lucid.runtime.paths import DataDir
from lucid.runtime.settings import RuntimeSettings
from lucid.runtime.stores import StoreConnections
from lucid.runtime.wiring import build, embedded_settings, provider_of

_log = structlog.get_logger()


def url_of(service: Service) -> str:
    """Where a service answers: LUCID_URL_<NAME>, or its usual port on this machine."""
    variable = "LUCID_URL_" + service.name.upper().replace("-", "_")
    return os.environ.get(variable, f"http://127.0.0.1:{service.embedded_port}")


def service_named(name: str) -> Service:
    """The catalog's service of that name. Raises InvalidInput that lists the names."""
    for service in SERVICES:
        if service.name == name:
            return service
    names = ", ".join(service.name for service in SERVICES)
    raise InvalidInput(f"NAME: expected one of {names}, not {name!r}")


@contextlib.asynccontextmanager
async def serve_one(name: str, settings: RuntimeSettings) -> AsyncIterator[HttpServer]:
    """Run the service while in the context. Raises InvalidInput, and Conflict when the data folder is in use by
    another such service or a whole platform. The stores must be servers that all services reach: only SQLite may
    be a file that they share."""
    service = service_named(name)
    data = DataDir(settings.data_dir)
    data.create()
    keyring = Keyring.open(data.keys)
    token = keyring.private(SERVICE_TOKEN)
    if Bus in service.needs and not settings.redis_url.reveal():
        raise InvalidInput("LUCID_REDIS_URL: needed by a service alone, which has no Valkey of its own")
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(own_service(data, name))
        stores = await stack.enter_async_context(StoreConnections(settings, data, STORES))
        http = await stack.enter_async_context(new_http())

        async def bind(need: type) -> Any:
            if any(need is store.provides for store in STORES):
                return await stores.get(need)
            return connect(need, url_of(provider_of(need, SERVICES)), token, http=http)

        built = await build(service, bind, keyring, data, embedded_settings(service))
        stack.push_async_callback(built.release)
        port = service.embedded_port if settings.http_port is None else settings.http_port
        server = HttpServer(http_app(service, built.app, token), settings.http_host, port)
        stack.push_async_callback(server.stop_serving)
        stack.push_async_callback(built.app.stop)
        await built.app.start()
        await server.start_serving()
        _log.info("service started", service=name, url=server.url)
        yield server
