"""The checks that the mesh makes itself: HTTP and TCP, each on its interval."""

import asyncio
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lucid.base.errors import LucidError
from lucid.base.tasks import Tasks
from lucid.services.service_mesh.errors import Refusal, bad
from lucid.services.service_mesh.instances import CheckState, Instances, Probe, Status

if TYPE_CHECKING:
    import aiohttp

MAX_BODY = 4096


class Probes:
    """A task for each such check, until the check is gone or replaced."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances
        self._tasks = Tasks("service-mesh-probes")
        self._http: aiohttp.ClientSession | None = None
        instances.probed = self._begin

    def _begin(self, check: CheckState) -> None:
        self._tasks.spawn(self._run(check), name=f"probe {check.id}")

    async def _run(self, check: CheckState) -> None:
        probe = check.probe
        assert probe is not None
        while self._instances.checks.get(check.id) is check:
            try:
                async with asyncio.timeout(probe.timeout_s):
                    status, output = await (self._get(probe) if probe.kind == "http" else _connect(probe))
            except TimeoutError:
                status, output = "critical", f"no answer within {probe.timeout_s:g} s"
            except (OSError, ValueError, LucidError) as error:
                status, output = "critical", str(error) or type(error).__name__
            if self._instances.checks.get(check.id) is not check:
                return
            try:
                self._instances.update(check.id, status, output)
            except Refusal:
                return  # removed meanwhile
            await asyncio.sleep(probe.interval_s)

    async def _get(self, probe: Probe) -> tuple[Status, str]:
        """2xx passes, 429 warns, all else is critical, as Consul has it."""
        import aiohttp  # heavy: our own services are never probed

        if self._http is None:
            self._http = aiohttp.ClientSession(trust_env=False)
        headers = [(name, value) for name, values in probe.headers.items() for value in values]
        trust: ssl.SSLContext | bool = probe.verify_tls
        try:
            async with self._http.request(
                probe.method, probe.target, headers=headers, ssl=trust, allow_redirects=False
            ) as answer:
                body = (await answer.content.read(MAX_BODY)).decode(errors="replace")
        except aiohttp.ClientError as error:
            return "critical", str(error) or type(error).__name__
        said = f"HTTP {probe.method} {probe.target}: {answer.status} {answer.reason} Output: {body}"
        if answer.status == 429:
            return "warning", said
        return ("passing" if 200 <= answer.status < 300 else "critical"), said

    async def stop(self) -> None:
        await self._tasks.close()
        if self._http is not None:
            await self._http.close()

    def check(self) -> None:
        self._tasks.check()


async def _connect(probe: Probe) -> tuple[Status, str]:
    host, _, port = probe.target.rpartition(":")
    _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.close()
    return "passing", f"TCP connect {probe.target}: Success"


def checked_target(kind: str, target: str) -> str:
    """The URL or address of a probe. Raises Refusal (400)."""
    if kind == "http":
        try:
            where = urlsplit(target)
            usable = where.scheme in ("http", "https") and bool(where.hostname) and where.port != 0
        except ValueError:  # brackets that do not close, a port over 65535
            usable = False
        if not usable:
            raise bad("HTTP: expected a http or https URL")
        return target
    host, colon, port = target.rpartition(":")
    if not host or not colon or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise bad("TCP: expected HOST:PORT")
    return target
