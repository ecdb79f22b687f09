"""Figures of running sessions and of hosts."""

from typing import Protocol

from pydantic import Field

from lucid.base.ids import Name, SessionId
from lucid.base.value import Value
from lucid.ports.desktops import ProbeResult


class SessionFigures(Value):
    """A running session. Rates are over the last sample interval; round trips as TCP measures them; CPU and memory are
    those of the desktop, for desktops of the built-in host."""

    session: SessionId
    user: Name
    host: Name
    elapsed_s: float = Field(examples=[341.2])
    idle_s: float = Field(description="since the last input", examples=[4.1])
    client_bytes_per_s: float = Field(description="from the client", examples=[812.0])
    host_bytes_per_s: float = Field(description="from the host", examples=[184_320.0])
    client_rtt_ms: float | None = Field(default=None, examples=[23.5])
    host_rtt_ms: float | None = Field(default=None, examples=[0.4])
    cpu_cores: float | None = Field(default=None, description="CPU seconds a second", examples=[0.12])
    memory_bytes: int | None = Field(default=None, description="resident", examples=[115_576_832])


class HostFigures(Value):
    """A host as synthetic connections find it. `reachable` is null before the first; `failures` counts those in a row
    that saw no first frame."""

    host: Name
    reachable: bool | None = None
    failures: int = Field(default=0, ge=0)
    last: ProbeResult | None = None


class Monitor(Protocol):
    """What rdp-monitor offers."""

    async def sessions(self) -> list[SessionFigures]:
        """Running sessions by id, as of the last sample."""
        ...

    async def hosts(self) -> list[HostFigures]:
        """Hosts that were probed, by name."""
        ...

    async def history(self, *, host: Name) -> list[ProbeResult]:
        """Results for a host, oldest first; a bounded number is kept. Raises NotFound."""
        ...

    async def probe(self, *, host: Name) -> ProbeResult:
        """Probe a host now. Raises NotFound, and Conflict while a session runs there, which a login could disturb."""
        ...


UNREACHABLE = "host.unreachable"
REACHABLE = "host.reachable"
"""Topics of the bus: each event's body is a ProbeResult."""
