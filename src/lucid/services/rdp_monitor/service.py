"""Samples what runs, probes hosts in turn, and shows both (port Monitor)."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.ports.access import Gateway
from lucid.ports.desktops import Desktops, ProbeResult, XrdpHost
from lucid.ports.monitor import HostFigures, SessionFigures
from lucid.services.rdp_monitor.history import History
from lucid.services.rdp_monitor.metrics import show_built_in, show_hosts, show_sessions
from lucid.services.rdp_monitor.probing import Probing
from lucid.services.rdp_monitor.sampling import Look, by_host, figures
from lucid.services.rdp_monitor.settings import RdpMonitorSettings

_log = structlog.get_logger()


class RdpMonitor:
    """Failures of what it looks at are logged once a change, and never end it."""

    def __init__(
        self,
        settings: RdpMonitorSettings,
        *,
        gateway: Gateway,
        desktops: Desktops,
        xrdp: XrdpHost,
        probing: Probing,
        history: History,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._desktops = desktops
        self._xrdp = xrdp
        self._probing = probing
        self._history = history
        self._clock = clock
        self._tasks = Tasks("rdp-monitor")
        self._last = Look(clock.monotonic(), (), {})
        self._sessions: list[SessionFigures] = []
        self._said: dict[str, str] = {}

    async def start(self) -> None:
        self._tasks.spawn(self._keep_sampling(), name="sample")
        if self._settings.probe_interval_s:
            self._tasks.spawn(self._keep_probing(), name="probe")

    async def stop(self) -> None:
        await self._tasks.close()

    async def check(self) -> None:
        """Readiness: raises what ended a task."""
        self._tasks.check()

    # The port Monitor.

    async def sessions(self) -> list[SessionFigures]:
        return self._sessions

    async def hosts(self) -> list[HostFigures]:
        return await self._history.hosts()

    async def history(self, *, host: str) -> list[ProbeResult]:
        return await self._history.of(host)

    async def probe(self, *, host: str) -> ProbeResult:
        result = await self._probing.probe(host)
        show_hosts(await self._history.hosts(), self._settings.max_series)
        return result

    # What it does by itself.

    async def sample(self) -> None:
        """Look at all sessions once. Raises LucidError."""
        live = await self._gateway.live()
        status = await self._xrdp.status()
        used = by_host(await self._desktops.list(), await self._xrdp.desktops()) if status.sessions else {}
        now = Look(self._clock.monotonic(), live, used)
        self._sessions, self._last = figures(self._last, now), now
        show_sessions(self._sessions, self._settings.max_series)
        show_built_in(status)

    async def _keep_sampling(self) -> None:
        while True:
            await self._try("samples", self.sample)
            await asyncio.sleep(self._settings.sample_s)

    async def _keep_probing(self) -> None:
        while True:
            await self._try("probes", self._round)
            await asyncio.sleep(self._settings.probe_interval_s)

    async def _round(self) -> None:
        await self._probing.round()
        show_hosts(await self._history.hosts(), self._settings.max_series)

    async def _try(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, and say so when it stops working, and when it works again."""
        try:
            await work()
        except LucidError as error:
            if self._said.get(what) != error.detail:
                _log.warning("monitoring does not work", what=what, detail=error.detail)
            self._said[what] = error.detail
        else:
            if self._said.pop(what, None):
                _log.info("monitoring works again", what=what)
