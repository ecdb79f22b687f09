"""Synthetic connections: log in to a host as a client would, see its first frame, leave (port Prober)."""

import asyncio
import time

from lucid.base.clock import Clock, SystemClock
from lucid.base.errors import LucidError
from lucid.drivers.rdp.client import RdpClient, Step
from lucid.model.host import Host, HostCredentials
from lucid.ports.desktops import ProbeResult
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.updates import BitmapUpdate, DesktopSize, Update

WIDTH, HEIGHT = 1024, 768
_TILE = 64


class RdpProber:
    """Measures with the monotonic clock. Hosts that demand NLA are reported as not reached."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    async def probe(self, *, host: Host, credentials: HostCredentials, limit_s: float = 20.0) -> ProbeResult:
        probe = _Probe()
        time_text = self._clock.now()
        try:
            async with asyncio.timeout(limit_s):
                await probe.run(host, credentials, limit_s)
        except TimeoutError:
            probe.error = f"no first frame within {limit_s:g} s: {probe.missing}"
        except (LucidError, OSError, EOFError) as error:
            probe.error = str(error) or type(error).__name__
        return ProbeResult(
            host=host.name,
            time=time_text,
            tcp_ms=probe.steps.get("tcp"),
            tls_ms=probe.steps.get("tls"),
            login_ms=probe.steps.get("login"),
            first_frame_ms=probe.first_frame_ms,
            error=probe.error[:500],
        )


class _Probe:
    """One connection. The first frame is there when half of the screen was drawn: the window in which xrdp says that
    somebody may not log in is smaller."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._tiles = _tiles(WIDTH, HEIGHT)
        self._drawn: set[tuple[int, int]] = set()
        self._shown = asyncio.Event()
        self.steps: dict[Step, float] = {}
        self.first_frame_ms: float | None = None
        self.error = ""

    @property
    def missing(self) -> str:
        """What did not happen."""
        if "tcp" not in self.steps:
            return "no answer"
        if "login" not in self.steps:
            return "no logon"
        return "part of the screen" if self._drawn else "nothing was drawn"

    async def run(self, host: Host, credentials: HostCredentials, limit_s: float) -> None:
        """Returns after the first frame. Raises LucidError, TimeoutError; EOFError when the host closes before it."""
        client = await RdpClient.connect(
            host.address,
            host.port,
            username=credentials.username,
            password=credentials.password,
            fingerprint=host.fingerprint,
            width=WIDTH,
            height=HEIGHT,
            on_update=self._update,
            on_step=self._step,
            timeout_s=limit_s,
        )
        shown, closed = asyncio.ensure_future(self._shown.wait()), asyncio.ensure_future(client.wait_closed())
        try:
            async with client:
                await asyncio.wait([shown, closed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            shown.cancel()
            _, ended = await asyncio.gather(shown, closed, return_exceptions=True)
        if self.first_frame_ms is None:
            why = f" ({ended})" if isinstance(ended, ProtocolError) else ""
            raise EOFError(f"the host closed the connection: {self.missing}{why}")

    def _ms(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 3)

    def _step(self, step: Step) -> None:
        self.steps[step] = self._ms()

    def _update(self, update: Update) -> None:
        if isinstance(update, DesktopSize):
            self._tiles = _tiles(update.width, update.height)
        if self.first_frame_ms is not None or not isinstance(update, BitmapUpdate):
            return
        for area in update.rectangles:
            self._drawn |= {
                (x, y)
                for x in range(area.left // _TILE, area.right // _TILE + 1)
                for y in range(area.top // _TILE, area.bottom // _TILE + 1)
            }
        if len(self._drawn) * 2 >= self._tiles:
            self.first_frame_ms = self._ms()
            self._shown.set()


def _tiles(width: int, height: int) -> int:
    """How many tiles the screen has; those at its edges may be smaller."""
    return -(-width // _TILE) * -(-height // _TILE)
