"""/api/v1/hosts: the desktop hosts that can be connected to."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StrictInt

from lucid.base.clock import Time
from lucid.base.errors import NotFound
from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.host import Host, HostAccess, HostCredentials
from lucid.model.permission import Permission
from lucid.model.principal import Principal
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.rdp_server_manager.routes.forms import After, CallerOrigin, HostName, Limit, PasswordText, problems
from lucid.services.rdp_server_manager.service import ServerManager

Address = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[0-9A-Za-z._:%-]+$", examples=["desk-7.example.org"])
]
Port = Annotated[StrictInt, Field(ge=1, le=65_535, examples=[3389])]
Fingerprint = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$", examples=["", "5f" * 32])]


class Credentials(Value):
    """What the gateway logs in with. It can be set, never read."""

    username: str = Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["desk"])
    password: PasswordText
    domain: str = Field(default="", max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["CORP"])

    def known(self) -> HostCredentials:
        return HostCredentials(username=self.username, password=self.password, domain=self.domain)


class NewHost(Value):
    """A host to register. `fingerprint` (SHA-256, hex) pins its certificate; empty: the first one seen is pinned."""

    name: Name = Field(examples=["office"])
    address: Address
    port: Port = 3389
    fingerprint: Fingerprint = ""
    access: HostAccess = HostAccess()
    pool: Name | None = Field(default=None, examples=["office-pcs"])
    credentials: Credentials


class HostChange(Value):
    """Who may connect, and the pool. What is left out stays; `pool` null takes the host out of its pool."""

    access: HostAccess | None = None
    pool: Name | None = Field(default=None, examples=["office-pcs"])


class HostView(Value):
    """A host. Where it is and who else may connect is shown to those who manage hosts."""

    name: Name = Field(examples=["office"])
    pool: Name | None = Field(examples=["office-pcs"])
    approval: bool = Field(description="another person has to agree to each session")
    second_factor: bool = Field(description="a fresh second factor has to be shown for each session")
    added: Time = Field(examples=["2026-11-22T21:42:00.000000Z"])
    address: str | None = Field(default=None, examples=["desk-7.example.org"])
    port: int | None = Field(default=None, examples=[3389])
    fingerprint: str | None = Field(default=None, examples=["5f" * 32])
    access: HostAccess | None = None


class HostPage(Value):
    """Hosts by name; `next` continues behind them."""

    items: list[HostView]
    next: Name | None = Field(examples=["office"])


def visible(host: Host, principal: Principal) -> bool:
    """Whether the person may know of the host: those who may connect to it, and those who manage hosts."""
    return principal.may(Permission.HOSTS_MANAGE) or host.access.admits(principal.user, principal.role)


def _view(host: Host, principal: Principal) -> HostView:
    view = HostView(
        name=host.name,
        pool=host.pool,
        approval=host.access.approval,
        second_factor=host.access.second_factor,
        added=host.added,
    )
    if not principal.may(Permission.HOSTS_MANAGE):
        return view
    more = {"address": host.address, "port": host.port, "fingerprint": host.fingerprint, "access": host.access}
    return view.model_copy(update=more)


def host_routes(manager: ServerManager) -> APIRouter:
    """Routes of hosts."""
    router = APIRouter(prefix=f"{API_PREFIX}/hosts", tags=["hosts"])
    hosts, acts = manager.hosts, manager.acts
    manage = requires(Permission.HOSTS_MANAGE)

    @router.get("", summary="List hosts", operation_id="listHosts", **requires(Permission.HOSTS_READ))
    async def list_hosts(principal: Caller, after: After = None, limit: Limit = 50) -> HostPage:
        """Those that the person may connect to; all to those who manage hosts."""
        found = [host for host in await hosts.list() if visible(host, principal) and host.name > (after or "")]
        page = found[:limit]
        return HostPage(
            items=[_view(host, principal) for host in page], next=page[-1].name if len(found) > limit else None
        )

    @router.post(
        "",
        status_code=201,
        summary="Register a host",
        operation_id="addHost",
        responses=problems(_409="a host of that name exists"),
        **manage,
    )
    async def add_host(new: NewHost, principal: Caller, origin: CallerOrigin) -> HostView:
        """The credentials are sealed and never shown again. The act is in the log when this answers."""
        entry = Host(
            name=new.name,
            address=new.address,
            port=new.port,
            fingerprint=new.fingerprint,
            access=new.access,
            pool=new.pool,
            added=manager.clock.now(),
        )
        await hosts.add(host=entry, credentials=new.credentials.known(), actor=principal.user)
        await acts.done("host.added", origin, host=new.name)
        return _view(entry, principal)

    @router.get(
        "/{name}",
        summary="See a host",
        operation_id="getHost",
        responses=problems(_404="there is no such host, or the person may not connect to it"),
        **requires(Permission.HOSTS_READ),
    )
    async def get_host(name: HostName, principal: Caller) -> HostView:
        """A host that the person may connect to; any to those who manage hosts."""
        host = await hosts.get(name=name)
        if not visible(host, principal):
            raise NotFound(f"no host {name}")
        return _view(host, principal)

    @router.patch(
        "/{name}",
        summary="Change who may connect",
        operation_id="changeHost",
        responses=problems(_404="there is no such host", _409="it was changed at the same time"),
        **manage,
    )
    async def change_host(name: HostName, change: HostChange, principal: Caller, origin: CallerOrigin) -> HostView:
        """Sessions that run go on. The act is in the log when this answers."""
        fields = {field: getattr(change, field) for field in change.model_fields_set}
        if change.access is None:
            fields.pop("access", None)
        changed = await hosts.change(name, fields, principal.user)
        await acts.done("host.changed", origin, host=name, change="access")
        return _view(changed, principal)

    @router.put(
        "/{name}/credentials",
        status_code=204,
        summary="Replace the credentials of a host",
        operation_id="replaceHostCredentials",
        responses=problems(
            _404="there is no such host", _409="it belongs to a desktop, or was changed at the same time"
        ),
        **manage,
    )
    async def replace_credentials(
        name: HostName, credentials: Credentials, principal: Caller, origin: CallerOrigin
    ) -> None:
        """The gateway logs in with these from now on."""
        await hosts.change_credentials(name=name, credentials=credentials.known(), actor=principal.user)
        await acts.done("host.changed", origin, host=name, change="credentials")

    @router.delete(
        "/{name}",
        status_code=204,
        summary="Remove a host",
        operation_id="removeHost",
        responses=problems(
            _404="there is no such host", _409="it belongs to a desktop, or was changed at the same time"
        ),
        **manage,
    )
    async def remove_host(name: HostName, principal: Caller, origin: CallerOrigin) -> None:
        """Its sealed credentials go with it; its recordings stay."""
        await hosts.remove(name=name, actor=principal.user)
        await acts.done("host.removed", origin, host=name)

    return router
