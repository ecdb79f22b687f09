"""Needs to objects: the same create() is given ports of this process or ports over HTTP."""

import importlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, get_origin

from lucid.base.clock import Clock, SystemClock
from lucid.base.settings import Settings
from lucid.catalog.services import SERVICES
from lucid.catalog.types import Private, Service, Store
from lucid.drivers.disk.folder import DiskFolder
from lucid.ports.registry import Registry
from lucid.ports.service import App, Ports
from lucid.ports.stores import Folder
from lucid.runtime.bound import BOUND, Context
from lucid.runtime.keyring import Keyring
from lucid.runtime.paths import DataDir

Bind = Callable[[type], Awaitable[Any]]
"""Finds what to bind to a port that another service or a store offers."""


@dataclass(frozen=True)
class Built:
    """A service with its settings and App, not started yet. `folder` is its own one, if it needs one; whoever
    stops the service gives its lock up after that."""

    service: Service
    settings: Settings
    app: App
    folder: DiskFolder | None

    async def release(self) -> None:
        """Let another process, or a later run in this one, own the service's folder."""
        if self.folder is not None:
            await self.folder.release()


def start_order(services: Iterable[Service], stores: Iterable[Store]) -> list[Service]:
    """The services so that each comes after those that it needs. Raises LookupError when nothing in the
    catalog provides a need, graphlib.CycleError when two need each other."""
    services = list(services)
    provider = {port: service for service in services for port in service.provides}
    at_hand = {store.provides for store in stores} | set(BOUND) | {Registry}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for service in services:
        sorter.add(service.name)
        for need in service.needs:
            if need in provider:
                sorter.add(service.name, provider[need].name)
            elif need not in at_hand:
                raise LookupError(f"{service.name} needs {need.__name__}, which nothing in the catalog provides")
    by_name = {service.name: service for service in services}
    return [by_name[name] for name in sorter.static_order()]


def load_settings(service: Service, keyring: Keyring, overrides: Mapping[str, Any]) -> Settings:
    """The service's settings: environment first, then the installation's keys for what it leaves open."""
    values = dict(overrides)
    for name, source in service.keys.items():
        if name not in values and not service.settings.is_set(name):
            if isinstance(source, Private) and source.optional and not keyring.has_private(source.key):
                continue
            value = keyring.private(source.key) if isinstance(source, Private) else keyring.public(source.key)
            many = get_origin(service.settings.model_fields[name].annotation) is tuple
            values[name] = (value,) if many else value
    return service.settings.load(**values)


def embedded_settings(service: Service) -> dict[str, Any]:
    """The service's settings beside others on one machine, where the environment does not say otherwise."""
    return {name: value for name, value in service.embedded.items() if not service.settings.is_set(name)}


async def build(
    service: Service,
    bind: Bind,
    keyring: Keyring,
    data: DataDir,
    overrides: Mapping[str, Any],
    clock: Clock | None = None,
    services: Sequence[Service] = SERVICES,
) -> Built:
    """Bind the service's needs and create it."""
    settings = load_settings(service, keyring, overrides)
    context = Context(service, services, data, keyring, clock or SystemClock())
    bound: dict[type, Any] = {}
    for need in service.needs:
        make = BOUND.get(need)
        bound[need] = make(context) if make else await bind(need)
    module, _, function = service.entry.partition(":")
    create: Callable[[Settings, Ports], App] = getattr(importlib.import_module(module), function)
    return Built(service, settings, create(settings, Ports(bound, clock)), bound.get(Folder))


@dataclass
class Directory:
    """Where each port is offered: the objects of the services built so far in this process."""

    objects: dict[type, Any] = field(default_factory=dict)

    def add(self, app: App) -> None:
        self.objects.update(app.provides)


def provider_of(port: type, services: Sequence[Service]) -> Service:
    """The service that offers `port`. Raises LookupError."""
    for service in services:
        if port in service.provides:
            return service
    raise LookupError(f"nothing in the catalog provides {port.__name__}")
