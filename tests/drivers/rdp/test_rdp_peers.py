"""The client without a screen and the replaying host, with each other."""

import pytest

from lucid.base.errors import Corrupted, Forbidden, Unavailable
from lucid.base.secret import Secret
from lucid.crypto.certificate import fingerprint, self_signed, server_context
from lucid.drivers.rdp import DEMO
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.host import ReplayHost
from lucid.drivers.rdp.recording import Recording
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import UpdateReader

PASSWORD = Secret("p-4711")


@pytest.fixture(scope="module")
def certificate() -> bytes:
    return self_signed("desktop")


def demo_host(certificate: bytes, *, speed: float = 50.0) -> ReplayHost:
    return ReplayHost(
        Recording.load(DEMO), tls=server_context(certificate), username="ann", password=PASSWORD, speed=speed
    )


def test_the_demo_is_small_and_shows_something() -> None:
    recording = Recording.load(DEMO)
    assert DEMO.stat().st_size < 1_500_000
    assert 6 < recording.duration_s < 12
    screen, reader = Screen(recording.width, recording.height), UpdateReader()
    for frame in recording.frames:
        for update in reader.feed(frame.data):
            screen.apply(update)
    pixels = screen.rgb()
    assert len({pixels[i : i + 3] for i in range(0, len(pixels), 3)}) > 200


def test_a_recording_keeps_its_form() -> None:
    recording = Recording.load(DEMO)
    assert Recording.from_bytes(recording.to_bytes()) == recording


@pytest.mark.parametrize("data", [b"", b"not zstd", DEMO.read_bytes()[:-100]])
def test_another_file_is_corrupted(data: bytes) -> None:
    with pytest.raises(Corrupted):
        Recording.from_bytes(data)


async def test_the_client_sees_the_recording_to_its_end(certificate: bytes) -> None:
    async with demo_host(certificate) as host:
        client = await RdpClient.connect(
            "127.0.0.1", host.port, username="ann", password=PASSWORD, fingerprint=fingerprint(certificate), token="t"
        )
        assert client.desktop == (800, 600)
        await client.wait_closed()
        assert client.bytes_received > sum(len(frame.data) for frame in Recording.load(DEMO).frames)
        assert [(logon.username, logon.accepted) for logon in host.logons] == [("ann", True)]
        await client.close()


async def test_wrong_credentials_see_nothing(certificate: bytes) -> None:
    async with demo_host(certificate) as host:
        with pytest.raises(Unavailable):
            await RdpClient.connect("127.0.0.1", host.port, username="ann", password=Secret("guess"))
        assert [(logon.username, logon.accepted) for logon in host.logons] == [("ann", False)]


async def test_another_certificate_is_refused(certificate: bytes) -> None:
    async with demo_host(certificate) as host:
        with pytest.raises(Forbidden):
            await RdpClient.connect("127.0.0.1", host.port, username="ann", password=PASSWORD, fingerprint="0" * 64)
        assert host.logons == []


async def test_a_host_that_is_not_there_is_unavailable(certificate: bytes) -> None:
    async with demo_host(certificate) as host:
        port = host.port
    with pytest.raises(Unavailable):
        await RdpClient.connect("127.0.0.1", port, timeout_s=2)
