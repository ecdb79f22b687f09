"""An RDP client without a screen: connects, counts or draws what it is shown, types and clicks."""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Callable
from typing import Literal, Self

from lucid.base.errors import Forbidden, Unavailable
from lucid.base.secret import Secret
from lucid.wire.rdp.client import Button, ClientHandshake, ClientState
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.screen import Screen
from lucid.wire.rdp.updates import Update

_READ_BYTES = 262_144
_GOODBYE_S = 2.0

Step = Literal["tcp", "tls", "login"]
"""What a connection has reached: a TCP connection, TLS, a desktop that is about to be shown."""


class RdpClient:
    """A connected client whose desktop is shown. Made by `connect`; ends with `close`, or as an async context
    manager. `bytes_received` counts plaintext from the host, the handshake included."""

    def __init__(
        self,
        handshake: ClientHandshake,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        draw: bool,
        on_update: Callable[[Update], None] | None,
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self._handshake = handshake
        self._reader = reader
        self._writer = writer
        self._draw = draw
        self._on_update = on_update
        self._on_step = on_step
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.bytes_received = 0
        self.screen: Screen | None = None

    @classmethod
    async def connect(
        cls,
        address: str,
        port: int,
        *,
        token: str | None = None,
        username: str = "",
        password: Secret | None = None,
        width: int = 1280,
        height: int = 720,
        channels: tuple[str, ...] = (),
        fingerprint: str = "",
        draw: bool = False,
        on_update: Callable[[Update], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
        timeout_s: float = 30.0,
    ) -> Self:
        """Connect and log on. `token`: a ticket, sent as routing token. `fingerprint`: SHA-256 (hex) of the
        certificate that the server must show; empty takes any. `draw`: keep `screen` up to date; `on_update`
        is called with each update; without either, bytes are counted only. `on_step` is called as soon as each step
        of the connection is done. Raises Unavailable when the server
        does not let the client in within `timeout_s`, Forbidden when it shows another certificate."""
        handshake = ClientHandshake(
            username=username,
            password=password or Secret(""),
            token=token,
            width=width,
            height=height,
            channels=channels,
        )
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(address, port, limit=_READ_BYTES)
                client = cls(handshake, reader, writer, draw=draw, on_update=on_update, on_step=on_step)
                await client._log_on(fingerprint)
        except TimeoutError:
            raise Unavailable(f"{address}:{port}: no desktop within {timeout_s:g} s") from None
        except (OSError, EOFError, ProtocolError) as error:
            raise Unavailable(f"{address}:{port}: {error}") from None
        finally:
            if writer is not None and not handshake.active:
                writer.transport.abort()
        client._task = asyncio.create_task(client._receive(), name="rdp-client")
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _reached(self, step: Step) -> None:
        if self._on_step is not None:
            self._on_step(step)

    async def _log_on(self, fingerprint: str) -> None:
        self._reached("tcp")
        self._writer.write(self._handshake.start())
        while not self._handshake.active:
            await self._step()
            if self._handshake.state is ClientState.SECURE:
                await self._secure(fingerprint)
            if self._handshake.state is ClientState.CLOSED:
                raise EOFError(f"the server disconnected (error {self._handshake.error_info:#x})")

    async def _secure(self, fingerprint: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        await self._writer.start_tls(context)
        certificate = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        seen = hashlib.sha256(certificate).hexdigest()
        if fingerprint and not hmac.compare_digest(seen, fingerprint):
            raise Forbidden(f"the server shows another certificate: {seen}")
        self._reached("tls")
        self._writer.write(self._handshake.secured())

    async def _step(self) -> None:
        """Read once and answer. Raises EOFError when the server closed."""
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise EOFError("the server closed the connection")
        self.bytes_received += len(data)
        if self._handshake.active and not self._draw and self._on_update is None:
            return
        connecting = not self._handshake.active
        self._writer.write(self._handshake.receive(data))
        if connecting and self._handshake.active:
            self._reached("login")
        for update in self._handshake.take_updates():
            if self._on_update is not None:
                self._on_update(update)
            if self._draw:
                self.screen = self.screen or Screen(*self._handshake.desktop)
                await asyncio.to_thread(self.screen.apply, update)

    async def _receive(self) -> None:
        try:
            while True:
                await self._step()
                self._changed.set()
        except (OSError, EOFError):
            return
        finally:
            self._writer.transport.abort()
            self._changed.set()

    @property
    def desktop(self) -> tuple[int, int]:
        """Width and height in pixels, as the host set them."""
        return self._handshake.desktop

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._task is None or self._task.done()

    async def wait_received(self, count: int) -> None:
        """Return once `count` bytes have come in all. Raises EOFError when the connection ends before."""
        while self.bytes_received < count:
            if self.closed:
                raise EOFError(f"closed after {self.bytes_received} bytes")
            self._changed.clear()
            await self._changed.wait()

    async def wait_closed(self) -> None:
        """Return once the server has ended the connection. Raises ProtocolError for a broken stream."""
        assert self._task is not None
        await self._task

    async def type_text(self, text: str) -> None:
        await self._send(self._handshake.text(text))

    async def click(self, x: int, y: int, *, button: Button = "left") -> None:
        """Move there, press and release."""
        moved = self._handshake.mouse(x, y)
        pressed = self._handshake.mouse(x, y, button=button, down=True)
        await self._send(moved + pressed + self._handshake.mouse(x, y, button=button))

    async def pointer(self, x: int, y: int, *, button: Button | None = None, down: bool = False) -> None:
        """Move the pointer there; with `button` (left, right, middle) press or release it."""
        await self._send(self._handshake.mouse(x, y, button=button, down=down))

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def stop_reading(self) -> None:
        """Leave everything that the host sends in the network, as a hung client does."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Say goodbye, wait a moment for the server to close, and close."""
        if self._task is None:
            return
        if not self._task.done():
            self._writer.write(self._handshake.disconnect())
            await asyncio.wait([self._task], timeout=_GOODBYE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
