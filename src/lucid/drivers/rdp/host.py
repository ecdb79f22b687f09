"""A desktop host that replays a recording to whoever logs on with the right credentials."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Literal, Self

import structlog

from lucid.base.secret import Secret
from lucid.base.tasks import Tasks
from lucid.drivers.rdp.recording import Recording
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.server import ServerHandshake, ServerState
from lucid.wire.rdp.share import ClientInfo

_READ_BYTES = 65_536
_HANDSHAKE_LIMIT_S = 15.0

_log = structlog.get_logger()

AtEnd = Literal["disconnect", "hold", "repeat"]


@dataclass(frozen=True)
class Logon:
    """A client's attempt to log on, and what connection it came with: its channels and routing token."""

    username: str
    accepted: bool
    channels: tuple[str, ...]
    cookie: bytes


class ReplayHost:
    """Listens on `address`:`port` (0: a free one) while used as an async context manager.

    `tls`: a server's context. `speed`: 2.0 plays twice as fast. `at_end`: disconnect when all is shown, hold
    the last picture, or repeat. `logons` and `inputs`: what clients did so far.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        tls: ssl.SSLContext,
        username: str,
        password: Secret,
        speed: float = 1.0,
        at_end: AtEnd = "disconnect",
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._recording = recording
        self._tls = tls
        self._username = username
        self._password = password
        self._speed = speed
        self._at_end = at_end
        self._address = address
        self._port = port
        self._tasks = Tasks("replay-host")
        self._server: asyncio.Server | None = None
        self.logons: list[Logon] = []
        self.inputs: list[bytes] = []

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._address, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._tasks.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.spawn(self._serve(reader, writer), name="client")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshake = ServerHandshake(width=self._recording.width, height=self._recording.height)
        try:
            async with asyncio.timeout(_HANDSHAKE_LIMIT_S):
                accepted = await self._log_on(handshake, reader, writer)
            if accepted:
                await self._show(handshake, reader, writer)
            writer.write(handshake.disconnect())
            await writer.drain()
        except (OSError, EOFError, ProtocolError) as error:
            _log.debug("client of the replay host left", error=str(error))
        finally:
            writer.transport.abort()

    async def _log_on(
        self, handshake: ServerHandshake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Take the client to the desktop. False when its credentials are wrong."""
        while not handshake.active:
            writer.write(handshake.receive(await _read(reader)))
            await writer.drain()
            if handshake.state is ServerState.REFUSED:
                raise ProtocolError("the client does not offer TLS")
            if handshake.state is ServerState.SECURE and writer.get_extra_info("ssl_object") is None:
                await writer.start_tls(self._tls)
            if handshake.client_info is not None and not self._check(handshake, handshake.client_info):
                return False
        return True

    def _check(self, handshake: ServerHandshake, info: ClientInfo) -> bool:
        """Whether the credentials are right; remembers the attempt, once a client."""
        accepted = info.user == self._username and info.password == self._password
        if handshake.state is ServerState.CONFIRM:
            cookie = handshake.request.cookie if handshake.request else b""
            self.logons.append(Logon(info.user, accepted, handshake.channels, cookie))
        return accepted

    async def _show(
        self, handshake: ServerHandshake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Replay until the end, or until the client leaves. Raises what ended either, OSError for a lost connection."""
        ends = [asyncio.ensure_future(self._listen(handshake, reader)), asyncio.ensure_future(self._play(writer))]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in done:
                end.result()
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _listen(self, handshake: ServerHandshake, reader: asyncio.StreamReader) -> None:
        while handshake.active and (data := await reader.read(_READ_BYTES)):
            handshake.receive(data)
            self.inputs += handshake.take_input()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            for frame in self._recording.frames:
                wait_s = began + frame.time_us / 1e6 / self._speed - clock()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                writer.write(frame.data)
                await writer.drain()
            if self._at_end == "disconnect":
                return
            if self._at_end == "hold":
                await asyncio.Event().wait()


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(_READ_BYTES)
    if not data:
        raise EOFError("closed in the handshake")
    return data
