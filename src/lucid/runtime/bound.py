"""What the runtime itself binds to a service's needs: its own folder, its identity, drivers of the outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lucid.base.clock import Clock
from lucid.catalog.types import Service
from lucid.crypto.identity import ServiceSigner
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.drivers.disk.folder import DiskFolder
from lucid.ports.apicatalog import ApiCatalog
from lucid.ports.desktops import Prober
from lucid.ports.http import Listener, Upstream
from lucid.ports.identity import Signer
from lucid.ports.machine import DesktopMachine
from lucid.ports.stores import Blobs, Folder
from lucid.ports.web import Web
from lucid.runtime.keyring import Keyring
from lucid.runtime.paths import DataDir


@dataclass(frozen=True)
class Context:
    """For which service something is bound, and in which installation."""

    service: Service
    services: Sequence[Service]
    data: DataDir
    keyring: Keyring
    clock: Clock


def _signer(context: Context) -> ServiceSigner:
    name = context.service.name
    return ServiceSigner(name, context.keyring.identity(name), context.clock)


def _api_catalog(context: Context) -> ApiCatalog:
    published = {
        path: (service.name, there) for service in context.services for path, there in service.published.items()
    }
    return ApiCatalog(
        prefixes={service.name: service.api for service in context.services if service.api}, published=published
    )


def _listener(_: Context) -> Listener:
    from lucid.drivers.http.listener import UvicornListener

    return UvicornListener()


def _upstream(_: Context) -> Upstream:
    from lucid.drivers.http.upstream import AiohttpUpstream

    return AiohttpUpstream()


def _web(_: Context) -> Web:
    from lucid.drivers.http.web import HttpxWeb

    return HttpxWeb()


def _machine(_: Context) -> DesktopMachine:
    from lucid.drivers.xrdp.machine import XrdpMachine

    return XrdpMachine()


def _prober(_: Context) -> Prober:
    from lucid.drivers.rdp.prober import RdpProber

    return RdpProber()


BOUND: Mapping[type, Callable[[Context], Any]] = {
    Folder: lambda context: DiskFolder(context.data.of(context.service.name)),
    Blobs: lambda context: DiskBlobs(context.data.of(context.service.name)),
    Signer: _signer,
    Web: _web,
    DesktopMachine: _machine,
    Prober: _prober,
    ApiCatalog: _api_catalog,
    Listener: _listener,
    Upstream: _upstream,
}
"""By port. A driver is imported in its function when it is heavy."""
