"""What probes found, in one document a host: the newest results, and how many in a row failed."""

from lucid.base.errors import Conflict, NotFound
from lucid.ports.desktops import ProbeResult
from lucid.ports.monitor import HostFigures
from lucid.ports.stores import Documents, Stored

PROBES = "probes"
_PAGE = 500


class History:
    """Keeps `length` results of each host."""

    def __init__(self, *, documents: Documents, length: int, alarm_after: int) -> None:
        self._documents = documents
        self._length = length
        self._alarm_after = alarm_after

    async def add(self, result: ProbeResult) -> tuple[HostFigures, HostFigures]:
        """Keep a result; the figures before and after it."""
        failed = result.first_frame_ms is None
        while True:
            try:
                found = await self._documents.get(PROBES, result.host)
            except NotFound:
                found = None
            failures = (found.body["failures"] if found else 0) + 1 if failed else 0
            results = [*(found.body["results"] if found else []), result.model_dump(mode="json")]
            body = {"failures": failures, "results": results[-self._length :]}
            try:
                if found is None:
                    stored = await self._documents.insert(PROBES, result.host, body)
                else:
                    stored = await self._documents.replace(PROBES, result.host, body, version=found.version)
            except Conflict:
                continue  # another probe of this host has ended
            return (self._figures(found) if found else HostFigures(host=result.host)), self._figures(stored)

    async def of(self, host: str) -> list[ProbeResult]:
        """Oldest first. Raises NotFound."""
        found = await self._documents.get(PROBES, host)
        return [ProbeResult.model_validate(result) for result in found.body["results"]]

    async def hosts(self) -> list[HostFigures]:
        """All hosts with results, by name."""
        figures: list[HostFigures] = []
        after = None
        while page := await self._documents.find(PROBES, after=after, limit=_PAGE):
            figures += [self._figures(found) for found in page]
            after = page[-1].id
        return figures

    async def forget(self, host: str) -> None:
        """Remove all results of a host that is no more."""
        await self._documents.delete(PROBES, host)

    def _figures(self, found: Stored) -> HostFigures:
        failures = found.body["failures"]
        return HostFigures(
            host=found.id,
            reachable=failures < self._alarm_after,
            failures=failures,
            last=ProbeResult.model_validate(found.body["results"][-1]),
        )
