"""rdp-server-manager put together: hosts, their pools, and the desktops of the built-in host."""

import asyncio

import structlog

from lucid.access.acts import Acts
from lucid.base.clock import Clock
from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.ports.access import Audit
from lucid.ports.desktops import XrdpHost
from lucid.ports.log import Anchoring
from lucid.ports.recording import Pipeline
from lucid.ports.stores import Documents
from lucid.services.rdp_server_manager.desktops import DesktopManager
from lucid.services.rdp_server_manager.hosts import HostManager
from lucid.services.rdp_server_manager.pools import Pools
from lucid.services.rdp_server_manager.quotas import Quotas
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings

_log = structlog.get_logger()


class ServerManager:
    """`hosts` and `desktops` are the ports; `pools` and `acts` are for the routes."""

    def __init__(
        self,
        settings: RdpServerManagerSettings,
        *,
        documents: Documents,
        anchoring: Anchoring,
        pipeline: Pipeline,
        xrdp: XrdpHost,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._reconcile_s = settings.reconcile_s
        self._retry_s = settings.retry_s
        self._tasks = Tasks("rdp-server-manager")
        self.acts = Acts(audit=audit, clock=clock)
        self.clock = clock
        self.pools = Pools(pipeline=pipeline, clock=clock, hold_s=settings.assignment_s)
        self.hosts = HostManager(settings, documents=documents, anchoring=anchoring, pools=self.pools)
        self.desktops = DesktopManager(
            documents=documents,
            hosts=self.hosts,
            xrdp=xrdp,
            quotas=Quotas(documents=documents, default=settings.desktops_per_owner),
            acts=self.acts,
            clock=clock,
        )

    async def start(self) -> None:
        await self.hosts.start()
        self._tasks.spawn(self._keep_reconciling(), name="reconcile")

    async def stop(self) -> None:
        await self._tasks.close()
        await self.hosts.stop()

    async def check(self) -> None:
        """Readiness: raises what ended a task."""
        self._tasks.check()
        await self.hosts.check()

    async def _keep_reconciling(self) -> None:
        while True:
            wait_s = self._reconcile_s
            try:
                await self.desktops.reconcile()
            except LucidError as error:
                _log.info("desktops and built-in host do not agree yet", error=error.slug, detail=error.detail)
                wait_s = min(self._retry_s, wait_s)
            await asyncio.sleep(wait_s)
