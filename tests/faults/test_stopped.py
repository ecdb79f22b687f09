"""`lucid up` told to stop in the middle of a session."""

import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lucid.model.session import EndReason
from tests.faults.installation import Installation, running
from tests.faults.marked import marked_pictures, recorded_pictures
from tests.faults.proof import only_session, owner, verified
from tests.flow.conftest import connect, desktop

STOP_LIMIT_S = 5.0


def listening(connections: list[Any]) -> set[int]:
    """The ports among connections (psutil's) that are listened on."""
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_ends_the_session_and_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    installation = Installation(tmp_path)
    async with running(installation) as platform, desktop(platform, marked_pictures(1000)):
        client = await connect(platform)
        await client.wait_received(300_000)
        assert installation.process is not None
        ports = listening(psutil.Process(installation.process.pid).net_connections("tcp"))
        assert len(ports) > 10
        told = time.monotonic()
        assert await installation.stop(number) == 0
        assert time.monotonic() - told < STOP_LIMIT_S
        await client.wait_closed()
    assert not ports & listening(psutil.net_connections("tcp"))
    assert not installation.data.run_file.exists()
    assert not list(installation.data.root.rglob("*.sock"))

    async with running(installation) as platform:
        session = await only_session(platform)
        assert session.end is not None
        assert session.end.reason is EndReason.TERMINATED
        export = await verified(platform, installation.data, session.id, tmp_path / "export")
        recorded = recorded_pictures(export, owner(installation.data))
        assert recorded == list(range(len(recorded)))
        assert len(recorded) > 10
