"""One TCP connection, awaited PDU by PDU during the handshake, then handing on whatever it reads at once."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable
from typing import cast

from lucid.wire.rdp.pdu import ProtocolError, pdu_length

_TCPI_RTT = slice(68, 72)
"""Where struct tcp_info of Linux has the round trip, in microseconds."""

_SHUTDOWN_LIMIT_S = 1.0
"""How long a TLS connection waits for the other side's close_notify."""

_READ_BYTES = 64 * 1024
"""Room for one read: TLS gives at most 16 KiB at once (RFC 8446 section 5.1), as many times as there is room."""


class Peer(asyncio.BufferedProtocol):
    """A client or a host. A protocol and not a pair of streams: the relay then costs no task switch a read. A buffered
    one: what is read goes to where it is wanted, with no memory taken for each read.

    `made` is called when the connection stands. `lost` is done when it is over, with the error that ended it
    or None.
    """

    def __init__(self, made: Callable[["Peer"], None] | None = None) -> None:
        self._made = made
        self._transport: asyncio.Transport
        self._place = memoryview(bytearray(_READ_BYTES))
        self._room: Callable[[], memoryview] | None = None
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._receive: Callable[[bytes], None] | None = None
        self._backlog: Callable[[bool], None] | None = None
        self._reading = True
        self.address = ""
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # A client that is gone already has no address.
        self.address = (transport.get_extra_info("peername") or ("unknown",))[0]
        if self._made is not None:
            self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._room is not None:
            self._place = self._room()
        return self._place

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._place[:nbytes])
        if self._receive is not None:
            self._receive(data)
        else:
            self._buffer += data
            self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(exc)
        self._arrived.set()

    def pause_writing(self) -> None:
        if self._backlog is not None:
            self._backlog(True)

    def resume_writing(self) -> None:
        if self._backlog is not None:
            self._backlog(False)

    # The handshake.

    async def read_pdu(self, *, limit: int) -> bytes:
        """The next PDU, as `read_unit` reads it."""
        return await self.read_unit(pdu_length, limit=limit)

    async def read_unit(self, length_of: Callable[[bytearray], int | None], *, limit: int) -> bytes:
        """The next message, whose length `length_of` tells, and the only one: nothing is read after it until the next
        step. Raises ProtocolError above `limit` bytes or when more came, ConnectionError when the peer leaves."""
        self.set_reading(True)
        while (length := length_of(self._buffer)) is None or len(self._buffer) < length <= limit:
            if self.lost.done():
                raise ConnectionResetError("closed in the handshake")
            self._arrived.clear()
            await self._arrived.wait()
        self.set_reading(False)
        if length > limit:
            raise ProtocolError(f"PDU of {length} bytes is above the limit of {limit}")
        if len(self._buffer) > length:
            raise ProtocolError("data before its time")
        pdu = bytes(self._buffer)
        self._buffer.clear()
        return pdu

    async def start_tls(self, context: ssl.SSLContext, *, server_side: bool, timeout_s: float) -> None:
        """Go on in TLS, not reading yet. Raises ssl.SSLError or OSError; the connection is closed then."""
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._transport,
                self,
                context,
                server_side=server_side,
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=_SHUTDOWN_LIMIT_S,
            )
            if transport is None:
                raise ConnectionResetError("closed in the TLS handshake")
        except BaseException:
            # The loop does not tell a protocol about a connection that ends before TLS stands.
            self._transport.abort()
            self.connection_lost(None)
            raise
        self._transport = transport
        self._reading = True
        self.set_reading(False)

    def certificate(self) -> bytes:
        """The peer's certificate, DER."""
        encoded: bytes = self._transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return encoded

    def rtt_ms(self) -> float | None:
        """Smoothed round trip to the peer in milliseconds, as the kernel's TCP measures it; None where it does not
        tell (tcpi_rtt of struct tcp_info, man 7 tcp)."""
        connection = self._transport.get_extra_info("socket")
        if connection is None or not hasattr(socket, "TCP_INFO") or self._transport.is_closing():
            return None
        try:
            info: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCPI_RTT.stop)
        except OSError:
            return None  # closed meanwhile
        microseconds = int.from_bytes(info[_TCPI_RTT], sys.byteorder)
        return microseconds / 1000 if len(info) == _TCPI_RTT.stop and microseconds else None

    # The relay.

    def begin_relay(
        self,
        *,
        receive: Callable[[bytes], None],
        backlog: Callable[[bool], None],
        buffer_bytes: int,
        room: Callable[[], memoryview] | None = None,
    ) -> None:
        """From now on `receive` gets all that is read, and `backlog` is told when more than `buffer_bytes`
        wait to be sent and when few do again. `room` tells, just before each read, where to put what is read; it is
        still there when `receive` gets it."""
        self._receive, self._backlog = receive, backlog
        self._transport.set_write_buffer_limits(high=buffer_bytes)
        self._room = room
        if self._buffer:
            size = len(self._buffer)
            self.get_buffer(size)[:size] = self._buffer
            self._buffer.clear()
            self.buffer_updated(size)
        self.set_reading(True)

    def set_reading(self, wanted: bool) -> None:
        """Read, or let the peer's data wait in the network."""
        if wanted == self._reading or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def abort(self) -> None:
        """Close at once and drop what waits to be sent."""
        self._transport.abort()

    async def close(self, *, grace_s: float) -> None:
        """Send what waits, say goodbye, close; whatever is left after `grace_s` is dropped."""
        self._receive = self._backlog = None
        if self.lost.done():
            return
        self._transport.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await asyncio.shield(self.lost)
        finally:
            self._transport.abort()
