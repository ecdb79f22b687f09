"""Two of what may be only one: platforms on a data folder, recorders on a journal, recordings of a session."""

import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import Conflict
from lucid.crypto import age
from lucid.drivers.disk.folder import DiskFolder
from lucid.ports.recording import Pipeline, Recorder
from lucid.runtime.platform import Platform
from lucid.runtime.serve import serve_one
from lucid.services.session_recorder.service import SessionRecorder
from lucid.services.session_recorder.settings import SessionRecorderSettings
from tests.faults.conftest import platform_on
from tests.faults.marked import marked_pictures
from tests.faults.proof import only_session
from tests.flow.conftest import connect, desktop


async def test_two_platforms(platform: Platform) -> None:
    with pytest.raises(Conflict, match="another lucid runs on"):
        async with platform_on(platform.data.root):
            pass
    with pytest.raises(Conflict, match="a whole platform runs on"):
        async with serve_one("data-chain", platform.settings.model_copy(update={"http_port": 0})):
            pass
    assert platform.data.run_file.exists()


async def test_two_recorders(platform: Platform) -> None:
    identity = age.new_identity()
    settings = SessionRecorderSettings(platform_identity=identity, recipients=(age.recipient_of(identity),))
    folder = DiskFolder(platform.data.of("session-recorder"))
    with pytest.raises(Conflict, match="another recorder is running"):
        await SessionRecorder(settings, folder=folder, clock=SystemClock()).start()


async def test_two_recordings_of_a_session(platform: Platform) -> None:
    async with desktop(platform, marked_pictures(50)), await connect(platform) as client:
        (session,) = await platform.port(Pipeline).list()
        with pytest.raises(Conflict, match="being recorded already"):
            await platform.port(Recorder).open(session=session.id, playback=False)
        await client.wait_closed()
    proven = await only_session(platform)
    assert proven.recorder is not None
    assert proven.recorder.sequence == 1
