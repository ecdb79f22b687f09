"""A client that stops reading: its session ends, and until then little is kept for it."""

from pathlib import Path

import psutil

from lucid.drivers.rdp.recording import Recording
from lucid.model.frame import Direction, Frame
from lucid.model.session import EndReason
from tests.faults.conftest import platform_on
from tests.faults.marked import HEIGHT, WIDTH, marked_picture
from tests.faults.proof import only_session, verified
from tests.flow.conftest import connect, desktop

SHOWN_BYTES = 400 * 1024 * 1024
BURST = marked_picture(0) * 256
KEPT_LIMIT_BYTES = 64 * 1024 * 1024
"""For buffers of the gateway and of the kernel, of four sockets each way; a fraction of what the host shows."""


async def test_it_ends_as_client_stalled(tmp_path: Path) -> None:
    impatient = {"rdp-controller": {"stall_limit_s": 0.5, "write_buffer_bytes": 65_536}}
    flood = Recording(WIDTH, HEIGHT, (Frame(0, Direction.SERVER_TO_CLIENT, BURST),) * (SHOWN_BYTES // len(BURST)))
    async with platform_on(tmp_path / "data", impatient) as platform, desktop(platform, flood):
        before = psutil.Process().memory_info().rss
        client = await connect(platform)
        client.stop_reading()
        session = await only_session(platform)
        assert psutil.Process().memory_info().rss - before < KEPT_LIMIT_BYTES
        await client.close()
        assert session.end is not None
        assert session.end.reason is EndReason.CLIENT_STALLED
        assert session.end.detail == "the client read nothing for 0.5 s"
        assert sum(chunk.length for chunk in session.chunks) < KEPT_LIMIT_BYTES
        await verified(platform, platform.data, session.id, tmp_path / "export")
