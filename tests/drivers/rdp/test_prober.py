"""Synthetic connections to a replaying host, and to what is none."""

import asyncio

import pytest

from lucid.base.secret import Secret
from lucid.crypto.certificate import fingerprint, self_signed, server_context
from lucid.drivers.rdp import DEMO
from lucid.drivers.rdp.host import ReplayHost
from lucid.drivers.rdp.prober import RdpProber
from lucid.drivers.rdp.recording import Recording
from lucid.model.host import Host, HostCredentials
from tests.paintings import paintings

TIME = "2026-11-22T21:42:00.000000Z"
CREDENTIALS = HostCredentials(username="ann", password=Secret("p-4711"))


@pytest.fixture(scope="module")
def certificate() -> bytes:
    return self_signed("desktop")


def entry(port: int, certificate: bytes) -> Host:
    return Host(name="office", address="127.0.0.1", port=port, fingerprint=fingerprint(certificate), added=TIME)


def replay(certificate: bytes, recording: Recording) -> ReplayHost:
    password = CREDENTIALS.password
    return ReplayHost(
        recording, tls=server_context(certificate), username="ann", password=password, speed=20, at_end="hold"
    )


async def test_each_step_is_measured(certificate: bytes) -> None:
    async with replay(certificate, Recording.load(DEMO)) as host:
        result = await RdpProber().probe(host=entry(host.port, certificate), credentials=CREDENTIALS)
    assert result.error == ""
    assert result.tcp_ms is not None
    assert result.tls_ms is not None
    assert result.login_ms is not None
    assert result.first_frame_ms is not None
    assert 0 < result.tcp_ms < result.tls_ms < result.login_ms <= result.first_frame_ms


async def test_a_part_of_the_screen_is_no_first_frame(certificate: bytes) -> None:
    """A refusal in a window of its own is not the desktop."""
    async with replay(certificate, paintings(60)) as host:
        result = await RdpProber().probe(host=entry(host.port, certificate), credentials=CREDENTIALS, limit_s=1)
    assert result.login_ms is not None
    assert result.first_frame_ms is None
    assert result.error == "no first frame within 1 s: part of the screen"


async def test_wrong_credentials_end_the_connection(certificate: bytes) -> None:
    wrong = CREDENTIALS.model_copy(update={"password": Secret("wrong")})
    async with replay(certificate, paintings(60)) as host:
        result = await RdpProber().probe(host=entry(host.port, certificate), credentials=wrong, limit_s=5)
    assert result.first_frame_ms is None
    assert result.error


async def test_another_certificate_gets_no_credentials(certificate: bytes) -> None:
    async with replay(self_signed("impostor"), paintings(60)) as host:
        result = await RdpProber().probe(host=entry(host.port, certificate), credentials=CREDENTIALS)
        assert "another certificate" in result.error
        assert host.logons == []
    assert (result.tls_ms, result.first_frame_ms) == (None, None)


async def test_a_host_that_is_not_there_or_says_nothing(certificate: bytes) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    silent = await RdpProber().probe(host=entry(port, certificate), credentials=CREDENTIALS, limit_s=0.2)
    assert silent.tcp_ms is not None
    assert "within 0.2 s" in silent.error
    server.close()
    gone = await RdpProber().probe(host=entry(port, certificate), credentials=CREDENTIALS, limit_s=0.2)
    assert gone.tcp_ms is None
    assert gone.error
