"""The whole platform in one process: a session over RDP is recorded, sealed, anchored and verified offline."""

from pathlib import Path

import httpx
import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import InvalidInput
from lucid.catalog.keys import OWNER_IDENTITY
from lucid.catalog.services import SERVICES
from lucid.model.session import EndReason, SessionState
from lucid.ports.log import LogStore
from lucid.ports.recording import Pipeline, Recorder
from lucid.runtime.client import RemotePlatform
from lucid.runtime.export import export_session
from lucid.runtime.picture import read_identity, recorded_frames, screen_at
from lucid.runtime.platform import Platform
from lucid.verify.files import Paths, verify_paths
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import UpdateReader
from tests.files import files_holding
from tests.flow.conftest import PASSWORD, USERNAME, connect, desktop
from tests.paintings import paintings
from tests.waiting import until_not

PAINTINGS = paintings(60)


def painted() -> Screen:
    """What the desktop shows at its end."""
    screen, reader = Screen(PAINTINGS.width, PAINTINGS.height), UpdateReader()
    for frame in PAINTINGS.frames:
        for update in reader.feed(frame.data):
            screen.apply(update)
    return screen


async def test_a_session_is_recorded_and_proven(platform: Platform, tmp_path: Path) -> None:
    async with desktop(platform, PAINTINGS) as host:
        async with await connect(platform) as client:
            await client.wait_closed()
        assert [(logon.username, logon.accepted) for logon in host.logons] == [(USERNAME, True)]
    pipeline = platform.port(Pipeline)
    (newest,) = await pipeline.list()
    session = await pipeline.wait(session=newest.id, wait_s=20)
    assert (session.state, session.user, session.host) == (SessionState.PROVEN, "ann", "office")
    assert session.end is not None
    assert session.end.reason is EndReason.HOST_CLOSED

    export = await export_session(platform, session.id, tmp_path / "export")
    report = verify_paths(
        Paths(
            bundle=export.bundle,
            key=str(export.key),
            recording=export.chunks,
            identity=platform.data.keys / OWNER_IDENTITY.name,
            log=platform.data.of("block-manager"),
            now=SystemClock().now(),
            strict=True,
        )
    )
    assert report.verified, report.failure
    assert {step.outcome for step in report.steps if step.name != "consistency"} == {"ok"}

    identity = read_identity(platform.data.keys / OWNER_IDENTITY.name)
    assert screen_at(recorded_frames(export, identity)).rgb() == painted().rgb()
    assert not (await platform.port(LogStore).fsck()).problems

    (export.chunks / ("0" * 64)).touch()
    with pytest.raises(InvalidInput, match="not of this recording"):
        await export_session(platform, session.id, export.folder)


async def test_secrets_stand_in_no_file(platform: Platform, tmp_path: Path) -> None:
    async with desktop(platform, PAINTINGS), await connect(platform) as client:
        await client.wait_closed()
    (newest,) = await platform.port(Pipeline).list()
    await platform.port(Pipeline).wait(session=newest.id, wait_s=20)
    await until_not(lambda: platform.port(Recorder).recordings())
    assert not files_holding(tmp_path / "data", PASSWORD.encode(), PASSWORD.encode("utf-16-le"))


async def test_every_service_is_ready_and_closed_to_strangers(platform: Platform) -> None:
    async with httpx.AsyncClient() as http:
        for service in SERVICES:
            url = platform.urls[service.name]
            assert (await http.get(f"{url}/ready")).json()["status"] == "ready"
            assert (await http.get(f"{url}/metrics")).status_code == 401
            port = service.provides[0].__name__
            refused = await http.post(f"{url}/rpc/{port}/status")
            assert refused.status_code in (401, 404)
        log = platform.urls["block-manager"]
        assert (await http.get(f"{log}/key")).text.startswith("lucid.local/")


async def test_another_process_reaches_every_port(platform: Platform) -> None:
    async with RemotePlatform.of(platform.data) as remote:
        assert await remote.port(Pipeline).list() == []
        assert (await remote.port(LogStore).state()).height == (await platform.port(LogStore).state()).height
