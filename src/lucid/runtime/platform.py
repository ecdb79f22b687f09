"""The whole platform in one process: stores, every service of the catalog, their HTTP ports."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import structlog

from lucid.base.clock import Clock, SystemClock
from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.catalog.keys import METRICS_TOKEN
from lucid.catalog.services import SERVICES
from lucid.catalog.stores import STORES
from lucid.catalog.types import Service
from lucid.crypto.identity import ServiceVerifier
from lucid.ports.access import Accounts
from lucid.ports.registry import Registry
from lucid.ports.service import App
from lucid.runtime.auth import ServiceGuard
from lucid.runtime.host import HttpServer, http_app
from lucid.runtime.keyring import Keyring, open_keyring
from lucid.runtime.locks import own_installation
from lucid.runtime.mesh import Mesh
from lucid.runtime.paths import DataDir
from lucid.runtime.settings import RuntimeSettings
from lucid.runtime.signed_registry import SignedRegistry
from lucid.runtime.stores import StoreConnections
from lucid.runtime.wiring import Directory, build, embedded_settings, start_order

P = TypeVar("P")
_log = structlog.get_logger()


class Platform:
    """Starts the services in the order of their needs and stops them in reverse.

    `overrides` are settings by service name; `ephemeral` lets every port be chosen by the system, as tests
    want it (`settings.http_port` 0 does so for HTTP alone); `clock` is the services' clock, by default the
    machine's. Used as an async context manager. Raises InvalidInput for a wrong setting or a taken port,
    Conflict when another process runs on the same data folder.
    """

    def __init__(
        self,
        settings: RuntimeSettings,
        *,
        services: Sequence[Service] = SERVICES,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        ephemeral: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.data = DataDir(settings.data_dir)
        self.urls: dict[str, str] = {}
        self.administrator_password: Secret | None = None
        self._services = services
        self._overrides = overrides or {}
        self._ephemeral = ephemeral
        self._clock = clock
        self._directory = Directory()
        self._servers: list[HttpServer] = []
        self._stack = contextlib.AsyncExitStack()

    def port(self, port: type[P]) -> P:
        """The object that offers `port` in this process."""
        found: P = self._directory.objects[port]
        return found

    async def start(self) -> None:
        """Start everything; what was started already is stopped again when something fails."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the services in reverse order, then the stores."""
        for server in self._servers:
            server.should_exit = True
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start(self) -> None:
        if self.settings.http_port:
            raise InvalidInput(
                "LUCID_HTTP_PORT: the services of one process cannot share a port; leave it empty, or set it to 0 for "
                "any free ones"
            )
        self.data.create()
        self._stack.enter_context(own_installation(self.data))
        keyring = open_keyring(self.settings, self.data)
        stores = await self._stack.enter_async_context(StoreConnections(self.settings, self.data, STORES))

        async def bind(need: type) -> Any:
            if need is Registry:
                return self._registry(keyring)
            if need in self._directory.objects:
                return self._directory.objects[need]
            return await stores.get(need)

        for service in start_order(self._services, STORES):
            overrides = self._settings_of(service)
            built = await build(service, bind, keyring, self.data, overrides, self._clock, self._services)
            self._stack.push_async_callback(built.release)
            await self._host(service, built.app, keyring)
        await self._join_mesh(keyring)
        if Accounts in self._directory.objects:
            self.administrator_password = await self.port(Accounts).create_administrator()
        self._announce()

    def _settings_of(self, service: Service) -> dict[str, Any]:
        embedded = embedded_settings(service)
        if self._ephemeral:
            embedded.update(dict.fromkeys(service.listens, 0))
        return {**embedded, **self._overrides.get(service.name, {})}

    async def _host(self, service: Service, app: App, keyring: Keyring) -> None:
        port = 0 if self._ephemeral or self.settings.http_port == 0 else service.embedded_port
        verifier = ServiceVerifier(service.name, keyring.peers(), self._clock or SystemClock())
        guard = ServiceGuard(service, verifier, self._services, keyring.private(METRICS_TOKEN))
        server = HttpServer(http_app(service, app, guard), self.settings.http_host, port)
        self._servers.append(server)
        self._stack.push_async_callback(server.stop_serving)
        self._stack.push_async_callback(app.stop)
        await app.start()
        await server.start_serving()
        self._directory.add(app)
        self.urls[service.name] = server.url
        _log.debug("service started", service=service.name, url=server.url)

    def _registry(self, keyring: Keyring) -> SignedRegistry:
        return SignedRegistry(self._directory.objects[Registry], keyring, self._clock or SystemClock())

    async def _join_mesh(self, keyring: Keyring) -> None:
        """Register what runs here, where the catalog has a registry."""
        if Registry in self._directory.objects:
            registry = self._registry(keyring)
            mesh = await self._stack.enter_async_context(Mesh(registry, ttl_s=self.settings.mesh_ttl_s))
            for service in self._services:
                mesh.join(service, self.urls[service.name])

    def _announce(self) -> None:
        self.data.announce({"pid": os.getpid(), "urls": self.urls})
        self._stack.callback(self.data.run_file.unlink, missing_ok=True)
