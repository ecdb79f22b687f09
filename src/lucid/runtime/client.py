"""Ports of a platform that runs in another process, for the command line."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import psutil

from lucid.base.clock import SystemClock
from lucid.base.errors import Unavailable
from lucid.catalog.keys import OPERATOR
from lucid.catalog.services import SERVICES
from lucid.catalog.types import Service
from lucid.crypto.identity import ServiceSigner
from lucid.drivers.docker.network import addresses
from lucid.drivers.http.client import Where, at, connect, new_http
from lucid.runtime.keyring import Keyring, open_keyring
from lucid.runtime.mesh import Mesh
from lucid.runtime.paths import DataDir
from lucid.runtime.registry import registry_of
from lucid.runtime.settings import RuntimeSettings
from lucid.runtime.signed_registry import SignedRegistry
from lucid.runtime.wiring import provider_of

P = TypeVar("P")


class RemotePlatform:
    """Binds ports to a running platform, as its operator. `where` finds a service; `pid` is the platform's process, 0
    where its services are apart. Async context manager."""

    def __init__(
        self,
        where: Callable[[Service], Where],
        keyring: Keyring,
        *,
        pid: int = 0,
        services: Sequence[Service] = SERVICES,
    ) -> None:
        self.pid = pid
        self._where = where
        self._signer = ServiceSigner(OPERATOR, keyring.identity(OPERATOR), SystemClock())
        self._services = services
        self._http = new_http()
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def of(cls, data: DataDir) -> Self:
        """The platform that runs on this data folder: one process by the addresses in its run file, or the containers
        that the file speaks of (see `write_deployment`), or with LUCID_CONSUL_URL services apart. Raises Unavailable
        when none does."""
        settings = RuntimeSettings.load(data_dir=data.root)
        if settings.consul_url:
            return cls._apart(settings, data)
        if (state := data.announced()) is None:
            raise Unavailable(
                f"no platform runs on {data.root}: start one with `lucid up`, or name that of separate services with "
                "LUCID_CONSUL_URL"
            )
        if "network" in state:
            return cls._deployed(state, data)
        _check_running(state["pid"], data)
        return cls(_while_running(state["pid"], state["urls"], data), open_keyring(settings, data), pid=state["pid"])

    @classmethod
    def _deployed(cls, state: Mapping[str, str], data: DataDir) -> Self:
        there = addresses(state["docker"], state["network"])
        urls = {
            service.name: f"http://{there[service.name]}:{service.port}"
            for service in SERVICES
            if service.name in there
        }
        if not urls:
            raise Unavailable(f"no container of Lucid runs in {state['network']}: start them with `lucid deploy up`")
        settings = RuntimeSettings.load(
            data_dir=data.root, keys_dir=state["keys_dir"], public_keys_dir=state["public_keys_dir"]
        )
        return cls(fixed(urls), open_keyring(settings, data))

    @classmethod
    def _apart(cls, settings: RuntimeSettings, data: DataDir) -> Self:
        keyring = open_keyring(settings, data)
        registry = registry_of(settings, keyring)
        mesh = Mesh(SignedRegistry(registry, keyring, SystemClock()), ttl_s=settings.mesh_ttl_s)
        platform = cls(mesh.where, keyring)
        platform._stack.push_async_callback(registry.aclose)
        platform._stack.push_async_callback(mesh.leave)
        return platform

    def port(self, port: type[P]) -> P:
        """`port`, spoken over HTTP. Raises LookupError when nothing in the catalog provides it."""
        service = provider_of(port, self._services)
        return connect(port, self._where(service), lambda: self._signer.token(service.name), http=self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        await self._stack.aclose()


def fixed(urls: Mapping[str, str]) -> Callable[[Service], Where]:
    """Services that stay where they are. Raises LookupError for one that is not there."""
    return lambda service: at(urls[service.name])


def _while_running(pid: int, urls: Mapping[str, str], data: DataDir) -> Callable[[Service], Where]:
    def where_is(service: Service) -> Where:
        async def where() -> str:
            _check_running(pid, data)
            return urls[service.name]

        return where

    return where_is


def _check_running(pid: int, data: DataDir) -> None:
    if not psutil.pid_exists(pid):
        raise Unavailable(f"the platform on {data.root} has ended: start it again with `lucid up`")


def write_deployment(data: DataDir, *, docker: str, network: str, keys_dir: Path, public_keys_dir: Path) -> None:
    """Say in the run file in which network of this machine's container engine a deployment is, and where its keys are,
    so that the command line finds it. `docker` is the engine's command."""
    data.create()
    data.announce(
        {"docker": docker, "network": network, "keys_dir": str(keys_dir), "public_keys_dir": str(public_keys_dir)}
    )
