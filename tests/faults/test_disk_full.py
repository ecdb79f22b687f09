"""The disk of the whole platform fills up while a session runs, and has space again later."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from structlog.typing import EventDict

from lucid.base.errors import Unavailable
from lucid.drivers.rdp.client import RdpClient
from lucid.model.policy import Policy
from lucid.model.session import EndReason, SessionState
from lucid.ports.access import Gateway, Tickets
from lucid.ports.log import LogStore
from lucid.ports.recording import Pipeline
from tests.contract.small_disk import SmallDisk, mount_small_disk
from tests.faults.conftest import platform_on, refusals
from tests.faults.marked import marked_pictures
from tests.faults.proof import only_session, proven, verified
from tests.flow.conftest import connect, desktop
from tests.waiting import until

RECEIVED = 200_000
END_LIMIT_S = 2.5  # a second until the recorder gives up, one until both connections are closed


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    with mount_small_disk(tmp_path / "disk", mib=24) as disk:
        yield disk


async def test_a_full_disk_ends_sessions_and_loses_nothing(
    disk: SmallDisk, tmp_path: Path, logged: list[EventDict]
) -> None:
    async with (
        platform_on(disk.path / "data") as platform,
        desktop(platform, marked_pictures(3000)),
        httpx.AsyncClient() as http,
    ):
        client = await connect(platform)
        await client.wait_received(RECEIVED)
        endpoint = await platform.port(Gateway).endpoint()
        ticket = await platform.port(Tickets).issue(user="ann", host="office", policy=Policy())
        disk.fill()
        filled = time.monotonic()
        await client.wait_closed()
        assert time.monotonic() - filled < END_LIMIT_S
        (failed,) = [event for event in logged if event["event"] == "recording failed"]
        assert "No space left on device" in failed["error"]

        # No session goes unrecorded, and the rest of the platform answers.
        with pytest.raises(Unavailable):
            await RdpClient.connect(endpoint.address, endpoint.port, token=ticket.secret.reveal())
        assert refusals(logged) == ["unavailable"]
        for url in platform.urls.values():
            assert (await http.get(f"{url}/health")).status_code == 200

        disk.free()
        session = await only_session(platform)
        assert session.end is not None
        assert session.end.reason is EndReason.RECORDER_FAILED
        await verified(platform, platform.data, session.id, tmp_path / "export")

        async with await connect(platform) as client:
            await client.wait_received(RECEIVED)
        for session in await platform.port(Pipeline).list():
            await proven(platform, session.id)


async def test_a_log_without_space_anchors_later(disk: SmallDisk, tmp_path: Path, logged: list[EventDict]) -> None:
    """The log's disk alone is full while a session ends: its closing waits in the write-ahead log."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "block-manager").symlink_to(disk.path, target_is_directory=True)
    async with platform_on(data) as platform, desktop(platform, marked_pictures(100)):
        async with await connect(platform) as client:
            disk.fill()
            await client.wait_closed()
        # What was on its way while the disk filled may still have found room: from the first
        # block that did not, nothing is in the log.
        await until(lambda: any(event["event"] == "slot not published" for event in logged))
        size = (await platform.port(LogStore).state()).size
        (waiting,) = await platform.port(Pipeline).list()
        waiting = await platform.port(Pipeline).wait(session=waiting.id, wait_s=2)
        assert waiting.state is SessionState.ANCHORING
        assert (await platform.port(LogStore).state()).size == size
        disk.free()
        session = await only_session(platform)
        assert session.end is not None
        assert session.end.reason is EndReason.HOST_CLOSED
        await verified(platform, platform.data, session.id, tmp_path / "export")
        assert not (await platform.port(LogStore).fsck()).problems
