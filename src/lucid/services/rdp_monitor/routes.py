"""/api/v1/monitor: figures of running sessions and of hosts."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.model.permission import Permission
from lucid.ports.api import API_PREFIX, requires
from lucid.ports.desktops import ProbeResult
from lucid.ports.monitor import HostFigures, Monitor, SessionFigures

Limit = Annotated[int, Query(ge=1, le=200, description="most items of the answer")]
HostName = Annotated[Name, Path(description="name of the host", examples=["office"])]
_EXAMPLE = "019a9c3e-6b1c-7000-8000-000000000001"


class SessionFiguresPage(Value):
    """Sessions by id, the longest-running first; `next` continues behind them."""

    items: list[SessionFigures]
    next: SessionId | None = Field(examples=[_EXAMPLE])


class HostFiguresPage(Value):
    """Hosts by name; `next` continues behind them."""

    items: list[HostFigures]
    next: Name | None = Field(examples=["office"])


class ProbeHistory(Value):
    """Synthetic connections to a host, oldest first."""

    items: list[ProbeResult]


def monitor_routes(monitor: Monitor) -> APIRouter:
    """Routes for those who look after the platform."""
    router = APIRouter(prefix=f"{API_PREFIX}/monitor", tags=["monitor"])
    read = requires(Permission.PLATFORM_READ)

    @router.get("/sessions", summary="Figures of running sessions", operation_id="listSessionFigures", **read)
    async def list_session_figures(
        after: Annotated[
            SessionId | None, Query(description="`next` of the answer before", examples=[_EXAMPLE])
        ] = None,
        limit: Limit = 50,
    ) -> SessionFiguresPage:
        """As of the last sample, a few seconds ago."""
        found = [one for one in await monitor.sessions() if one.session > (after or "")]
        items = found[:limit]
        return SessionFiguresPage(items=items, next=items[-1].session if len(found) > limit else None)

    @router.get("/hosts", summary="Figures of hosts", operation_id="listHostFigures", **read)
    async def list_host_figures(
        after: Annotated[Name | None, Query(description="`next` of the answer before", examples=["office"])] = None,
        limit: Limit = 50,
    ) -> HostFiguresPage:
        """What the last synthetic connection to each found."""
        found = [one for one in await monitor.hosts() if one.host > (after or "")]
        items = found[:limit]
        return HostFiguresPage(items=items, next=items[-1].host if len(found) > limit else None)

    @router.get(
        "/hosts/{host}",
        summary="Synthetic connections to a host",
        operation_id="getProbeHistory",
        responses={404: {"description": "the host was never probed"}},
        **read,
    )
    async def get_probe_history(host: HostName) -> ProbeHistory:
        """The newest ones; how many are kept is a setting."""
        return ProbeHistory(items=await monitor.history(host=host))

    @router.post(
        "/hosts/{host}/probe",
        summary="Probe a host now",
        operation_id="probeHost",
        responses={
            404: {"description": "there is no such host, or it is a desktop of the built-in host"},
            409: {"description": "a session runs on the host, which a login could disturb"},
        },
        **requires(Permission.HOSTS_MANAGE),
    )
    async def probe_host(host: HostName) -> ProbeResult:
        """Logs in, waits for the first frame and leaves; takes as long as that takes."""
        return await monitor.probe(host=host)

    return router
