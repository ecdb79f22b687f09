"""The gateway in a process of its own, as `lucid up` runs it but for what is behind the recorder.

Tickets, hosts and the pipeline are the simplest that keep their ports' promises; recorder, journal and disk are
the real ones.
"""

from pathlib import Path
from typing import cast

from benchmarks.load import ADDRESS, Requests
from lucid.base.clock import SystemClock
from lucid.base.ids import new_session_id
from lucid.base.logging import configure_logging
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.frame import Direction
from lucid.model.host import Grant, Host, HostCredentials
from lucid.model.policy import Policy
from lucid.model.session import SessionEnd
from lucid.ports.access import Hosts, Tickets
from lucid.ports.recording import Pipeline, SessionOpened
from lucid.ports.stores import Bus
from lucid.services.rdp_controller import desktop_session
from lucid.services.rdp_controller.service import RdpGateway
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.services.rdp_controller.tee import Tee
from lucid.services.session_recorder.service import SessionRecorder
from lucid.services.session_recorder.settings import SessionRecorderSettings


class _AnyTicket:
    async def redeem(self, *, secret: Secret) -> Grant:
        return Grant(user="user", host="host", policy=Policy())


class _OneHost:
    def __init__(self, port: int) -> None:
        self._host = Host(name="host", address=ADDRESS, port=port, added=SystemClock().now())

    async def get(self, *, name: str) -> Host:
        return self._host

    async def credentials(self, *, host: Host) -> HostCredentials:
        return HostCredentials(username="user", password=Secret("password"))

    async def pin(self, *, name: str, fingerprint: str) -> Host:
        self._host = self._host.model_copy(update={"fingerprint": fingerprint})
        return self._host


class _NoPipeline:
    """Begins and ends recordings; journals are destroyed unsealed."""

    def __init__(self, recorder: SessionRecorder) -> None:
        self._recorder = recorder

    async def open(self, *, grant: Grant) -> SessionOpened:
        session = new_session_id()
        await self._recorder.open(session=session, playback=False)
        return SessionOpened(session=session, opened=SystemClock().now())

    async def end(self, *, session: str, end: SessionEnd) -> None:
        await self._recorder.close(session=session, end=end)
        await self._recorder.release(session=session)


class _NoTee(Tee):
    """What a gateway has that does not record."""

    def add(self, direction: Direction, data: bytes) -> None:
        pass

    def keep(self, direction: Direction, size: int) -> None:
        pass


async def gateway(requests: Requests, host_port: int, folder: Path, recording: bool) -> None:
    """Answers `port` and serves until its parent is done. Without `recording` frames are not even collected."""
    configure_logging(json=False, level="WARNING")
    if not recording:
        vars(desktop_session)["Tee"] = _NoTee
    identity = age.new_identity()
    recorder = SessionRecorder(
        SessionRecorderSettings(platform_identity=identity, recipients=(age.recipient_of(identity),)),
        folder=DiskFolder(folder / "recorder"),
        clock=SystemClock(),
    )
    await recorder.start()
    service = RdpGateway(
        RdpControllerSettings(rdp_port=0),
        tickets=cast(Tickets, _AnyTicket()),
        hosts=cast(Hosts, _OneHost(host_port)),
        pipeline=cast(Pipeline, _NoPipeline(recorder)),
        recorder=recorder,
        bus=cast(Bus, None),
        folder=DiskFolder(folder / "gateway"),
    )
    await service.start()
    async for _ in requests:
        requests.answer((await service.endpoint()).port)
    await service.stop()
    await recorder.stop()
