"""Hosts that cannot be reached or trusted: a clear reason, and no opening without a closing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.typing import EventDict

from lucid.base.clock import SystemClock
from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.crypto.certificate import self_signed, server_context
from lucid.drivers.rdp.host import ReplayHost
from lucid.model.entry import LogEntry
from lucid.model.host import Host, HostCredentials
from lucid.ports.access import Hosts
from lucid.ports.log import LogStore
from lucid.ports.recording import Pipeline
from lucid.runtime.platform import Platform
from lucid.wire.rdp.x224 import PROTOCOL_SSL, SSL_NOT_ALLOWED_BY_SERVER, ConnectionConfirm, NegotiationFailure
from tests.faults.conftest import refusals
from tests.faults.marked import marked_pictures
from tests.faults.proof import only_session, proven
from tests.flow.conftest import PASSWORD, USERNAME, connect

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def register(platform: Platform, port: int) -> None:
    host = Host(name="office", address="127.0.0.1", port=port, added=SystemClock().now())
    credentials = HostCredentials(username=USERNAME, password=Secret(PASSWORD))
    await platform.port(Hosts).add(host=host, credentials=credentials)


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """A server of one's own on a free port, which it yields."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def openings_and_closings(platform: Platform) -> tuple[list[str | None], list[str | None]]:
    log = platform.port(LogStore)
    entries = [LogEntry.from_bytes(await log.entry(index=index)) for index in range((await log.state()).size)]
    return (
        [entry.session for entry in entries if entry.type == "session.opened"],
        [entry.session for entry in entries if entry.type == "session.closed"],
    )


async def refused(platform: Platform, logged: list[EventDict]) -> tuple[str, str]:
    """Reason and detail of the refusal that a connection gets; nothing of it is in the log."""
    with pytest.raises(Unavailable):
        await connect(platform)
    (event,) = [event for event in logged if event["event"] == "connection refused"]
    assert await platform.port(Pipeline).list() == []
    assert await openings_and_closings(platform) == ([], [])
    return event["reason"], event["detail"]


async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def test_nobody_listens(platform: Platform, logged: list[EventDict]) -> None:
    async with listening(nothing) as port:
        pass
    await register(platform, port)
    reason, detail = await refused(platform, logged)
    assert reason == "host-unreachable"
    assert f"127.0.0.1:{port}" in detail


async def test_it_closes_at_once(platform: Platform, logged: list[EventDict]) -> None:
    async with listening(nothing) as port:
        await register(platform, port)
        assert (await refused(platform, logged))[0] == "host-unreachable"


async def test_it_refuses_tls(platform: Platform, logged: list[EventDict]) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(NegotiationFailure(SSL_NOT_ALLOWED_BY_SERVER).to_bytes())
        await writer.drain()
        await reader.read(1)

    async with listening(refuse) as port:
        await register(platform, port)
        assert (await refused(platform, logged))[0] == "host-without-tls"


async def test_it_talks_nonsense_instead_of_tls(platform: Platform, logged: list[EventDict]) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(ConnectionConfirm(PROTOCOL_SSL, 0).to_bytes() + b"this is not TLS at all")
        await writer.drain()
        await reader.read(1024)

    async with listening(babble) as port:
        await register(platform, port)
        assert (await refused(platform, logged))[0] in ("host-unreachable", "host-without-tls")


async def test_its_certificate_changes_after_pinning(platform: Platform, logged: list[EventDict]) -> None:
    def host(port: int = 0) -> ReplayHost:
        tls = server_context(self_signed("desktop"))
        return ReplayHost(marked_pictures(5), tls=tls, username=USERNAME, password=Secret(PASSWORD), port=port)

    async with host() as first:
        port = first.port
        await register(platform, port)
        async with await connect(platform) as client:
            await client.wait_closed()
    await only_session(platform)
    async with host(port) as second:
        with pytest.raises(Unavailable):
            await connect(platform)
        assert refusals(logged) == ["host-certificate"]
        assert second.logons == []
    openings, closings = await openings_and_closings(platform)
    assert len(openings) == 1
    assert openings == closings


async def test_it_dies_after_the_opening(platform: Platform) -> None:
    """TLS stands and the opening is anchored when the host goes away: the closing follows."""
    tls = server_context(self_signed("desktop"))

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(ConnectionConfirm(PROTOCOL_SSL, 0).to_bytes())
        await writer.drain()
        await writer.start_tls(tls)
        await reader.read(1024)

    async with listening(die) as port:
        await register(platform, port)
        with pytest.raises(Unavailable):
            await connect(platform)
        (session,) = await platform.port(Pipeline).list()
        assert (await proven(platform, session.id)).end is not None
    assert await openings_and_closings(platform) == ([session.id], [session.id])
