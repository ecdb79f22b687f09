"""/api/v1/pools: groups of hosts of which the least loaded is taken."""

from fastapi import APIRouter
from pydantic import Field

from lucid.base.ids import Name
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, Caller, requires
from lucid.services.rdp_server_manager.routes.forms import After, Limit
from lucid.services.rdp_server_manager.routes.hosts import visible
from lucid.services.rdp_server_manager.service import ServerManager


class PoolHost(Value):
    """A host and the sessions on it, those that are about to begin among them."""

    name: Name = Field(examples=["office-1"])
    sessions: int = Field(ge=0, examples=[2])


class Pool(Value):
    """A pool with those of its hosts that the person may connect to."""

    name: Name = Field(examples=["office-pcs"])
    hosts: list[PoolHost]


class PoolPage(Value):
    """Pools by name; `next` continues behind them."""

    items: list[Pool]
    next: Name | None = Field(examples=["office-pcs"])


def pool_routes(manager: ServerManager) -> APIRouter:
    """Routes of pools. A host joins a pool by a change of the host."""
    router = APIRouter(prefix=f"{API_PREFIX}/pools", tags=["hosts"])

    @router.get("", summary="List pools", operation_id="listPools", **requires(Permission.HOSTS_READ))
    async def list_pools(principal: Caller, after: After = None, limit: Limit = 50) -> PoolPage:
        """Pools with a host that the person may connect to; all to those who manage hosts."""
        pools: dict[str, list[PoolHost]] = {}
        loads = await manager.pools.loads()
        for host in await manager.hosts.list():
            if host.pool is not None and host.pool > (after or "") and visible(host, principal):
                pools.setdefault(host.pool, []).append(PoolHost(name=host.name, sessions=loads[host.name]))
        names = sorted(pools)
        items = [Pool(name=name, hosts=pools[name]) for name in names[:limit]]
        return PoolPage(items=items, next=items[-1].name if len(names) > limit else None)

    return router
