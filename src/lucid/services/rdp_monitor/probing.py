"""Which hosts are probed, with which account, and what follows from the outcome."""

import asyncio
import secrets
from collections.abc import Sequence

import structlog

from lucid.base.clock import Clock
from lucid.base.errors import Conflict, LucidError, NotFound
from lucid.base.secret import Secret
from lucid.model.host import Host, HostCredentials
from lucid.ports.access import Gateway, Hosts
from lucid.ports.desktops import USER_PREFIX, Desktops, Prober, ProbeResult, XrdpHost
from lucid.ports.monitor import REACHABLE, UNREACHABLE
from lucid.ports.stores import Bus
from lucid.services.rdp_monitor.history import History
from lucid.services.rdp_monitor.settings import RdpMonitorSettings

ACCOUNT = f"{USER_PREFIX}monitor"
"""The account of our own on the built-in host, which is there during a probe alone."""

AT_A_TIME = 4

_log = structlog.get_logger()


class Probing:
    """Connects to the built-in host with an account of its own, and to outside hosts with the account that is stored
    for them. A desktop is probed by its host, since logging in would start it."""

    def __init__(
        self,
        settings: RdpMonitorSettings,
        *,
        gateway: Gateway,
        hosts: Hosts,
        desktops: Desktops,
        xrdp: XrdpHost,
        prober: Prober,
        bus: Bus,
        history: History,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._hosts = hosts
        self._desktops = desktops
        self._xrdp = xrdp
        self._prober = prober
        self._bus = bus
        self._history = history
        self._clock = clock
        self._free = asyncio.Semaphore(AT_A_TIME)
        self._account = asyncio.Lock()

    async def round(self) -> None:
        """Probe each host once that may be disturbed now."""
        hosts = await self._outside()
        busy = await self._busy()
        wanted = [host for host in hosts if self._is_wanted(host.name) and host.name not in busy]
        built_in = await self._built_in()
        for known in await self._history.hosts():
            if known.host not in {host.name for host in (*hosts, *built_in)}:
                await self._history.forget(known.host)
        await asyncio.gather(
            *(self._probe_outside(host) for host in wanted),
            *(self._probe_built_in(host) for host in built_in if self._is_wanted(host.name)),
        )

    async def probe(self, name: str) -> ProbeResult:
        """One host now. Raises NotFound, Conflict."""
        for host in await self._built_in():
            if host.name == name:
                return await self._probe_built_in(host)
        if name in await self._busy():
            raise Conflict(f"a session runs on {name}: a login could disturb it")
        for host in await self._outside():
            if host.name == name:
                return await self._probe_outside(host)
        raise NotFound(f"no host {name} to probe")

    def _is_wanted(self, name: str) -> bool:
        return not self._settings.probe_hosts or name in self._settings.probe_hosts

    async def _outside(self) -> list[Host]:
        desktops = {desktop.name for desktop in await self._desktops.list()}
        return [host for host in await self._hosts.list() if host.name not in desktops]

    async def _busy(self) -> set[str]:
        return {session.host for session in await self._gateway.live()}

    async def _built_in(self) -> Sequence[Host]:
        """The built-in host, while it runs."""
        return [await self._xrdp.endpoint()] if (await self._xrdp.status()).xrdp else []

    async def _probe_outside(self, host: Host) -> ProbeResult:
        async with self._free:
            if not host.fingerprint:
                return await self._keep(self._failed(host, "no certificate is pinned yet: connect to the host once"))
            try:
                credentials = await self._hosts.credentials(host=host)
            except LucidError as error:
                return await self._keep(self._failed(host, error.detail))
            return await self._keep(await self._connect(host, credentials))

    async def _probe_built_in(self, host: Host) -> ProbeResult:
        # One at a time: another would take the account away from the one that is logging in.
        async with self._account, self._free:
            password = Secret(secrets.token_urlsafe(24))
            try:
                await self._xrdp.create_user(user=ACCOUNT, password=password)
                result = await self._connect(host, HostCredentials(username=ACCOUNT, password=password))
                await self._xrdp.remove_user(user=ACCOUNT)
            except LucidError as error:
                result = self._failed(host, error.detail)
            return await self._keep(result)

    async def _connect(self, host: Host, credentials: HostCredentials) -> ProbeResult:
        return await self._prober.probe(host=host, credentials=credentials, limit_s=self._settings.probe_limit_s)

    def _failed(self, host: Host, error: str) -> ProbeResult:
        return ProbeResult(host=host.name, time=self._clock.now(), error=error[:500])

    async def _keep(self, result: ProbeResult) -> ProbeResult:
        before, after = await self._history.add(result)
        if after.reachable is False and before.reachable is not False:
            _log.warning(UNREACHABLE, host=result.host, error=result.error)
            await self._publish(UNREACHABLE, result)
        elif after.reachable and before.reachable is False:
            _log.info(REACHABLE, host=result.host)
            await self._publish(REACHABLE, result)
        return result

    async def _publish(self, topic: str, result: ProbeResult) -> None:
        """For whoever listens; the log line and the history do not depend on it."""
        try:
            await self._bus.publish(topic, result.model_dump(mode="json"))
        except LucidError as error:
            _log.warning("alarm was not published", topic=topic, host=result.host, detail=error.detail)
