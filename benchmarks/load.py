"""RDP sessions to load a gateway with: a host that sends real traffic on a timetable, and its clients.

Both run in processes of their own, so that what is between them can be measured alone. Their times are of the
machine's one monotonic clock, so a PDU's way took its arrival less its departure.
"""

import asyncio
import multiprocessing
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import uvloop

from benchmarks.traffic import traffic
from lucid.base.secret import Secret
from lucid.crypto.certificate import pinning_context, self_signed, server_context
from lucid.model.frame import decode_frames
from lucid.services.rdp_controller.peer import Peer
from lucid.wire.rdp.client import ClientHandshake
from lucid.wire.rdp.pdu import PduReader, pdu_length
from lucid.wire.rdp.server import ServerHandshake

ADDRESS = "127.0.0.1"
_BUFFER_BYTES = 64 * 1024 * 1024
_HANDSHAKE_PDU = 259
_HANDSHAKE_S = 10.0
_STEP_S = 0.04
_LIMIT_S = 60.0

Timetable = list[tuple[float, list[bytes]]]
"""Seconds from the start, and the PDUs to send then."""


def steady(mbit_s: float, seconds: float) -> Timetable:
    """Recorded PDUs at `mbit_s`, in 25 bursts a second as a screen changes."""
    pdus = (pdu for _, burst in _recorded() for pdu in burst)
    timetable, sent = [], 0
    for step in range(round(seconds / _STEP_S)):
        burst = []
        while sent < (step + 1) * _STEP_S * mbit_s * 1e6 / 8:
            burst.append(next(pdus))
            sent += len(burst[-1])
        timetable.append((step * _STEP_S, burst))
    return timetable


def as_recorded(seconds: float) -> Timetable:
    """The first `seconds` of the recording."""
    timetable = []
    for at, burst in _recorded():
        if at >= seconds:
            break
        timetable.append((at, burst))
    return timetable


def _recorded() -> Iterator[tuple[float, list[bytes]]]:
    reader = PduReader()
    for frame in decode_frames(traffic()):
        yield frame.time_us / 1e6, reader.feed(frame.data)


@dataclass
class Child:
    """A process of this benchmark that answers requests, one at a time."""

    process: BaseProcess
    link: Connection

    def ask(self, *request: Any) -> Any:
        """The child's answer. Raises TimeoutError, EOFError when it has died."""
        self.link.send(request)
        if not self.link.poll(_LIMIT_S):
            raise TimeoutError(f"{self.process.name} does not answer {request[0]!r}")
        return self.link.recv()


@contextmanager
def child(target: Callable[..., Any], *arguments: Any) -> Iterator[Child]:
    """Run the coroutine function `target(requests, *arguments)` in a fresh process, ended with the context."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(target, theirs, *arguments), name=target.__name__, daemon=True)
    process.start()
    theirs.close()
    try:
        yield Child(process, ours)
    finally:
        ours.close()
        process.join(_HANDSHAKE_S)
        process.kill()


def _run(target: Callable[..., Any], link: Connection, *arguments: Any) -> None:
    uvloop.run(target(Requests(link), *arguments))


class Requests:
    """The child's end: what the parent asks, until it closes."""

    def __init__(self, link: Connection) -> None:
        self._link = link

    def __aiter__(self) -> "Requests":
        return self

    async def __anext__(self) -> tuple[Any, ...]:
        try:
            request: tuple[Any, ...] = await asyncio.to_thread(self._link.recv)
        except EOFError:
            raise StopAsyncIteration from None
        return request

    def answer(self, value: Any) -> None:
        self._link.send(value)


async def host(requests: Requests) -> None:
    """A desktop host. Answers `port`; `load NAME ARGUMENTS…` prepares a timetable; `send SESSIONS` plays it to as
    many connections and answers the departures of each in nanoseconds, in the order that they came in."""
    tls = server_context(self_signed(ADDRESS))
    ready: asyncio.Queue[Peer] = asyncio.Queue()
    serving: set[asyncio.Task[None]] = set()

    def accepted(peer: Peer) -> None:
        task = asyncio.create_task(_serve(peer, tls, ready))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.get_running_loop().create_server(lambda: Peer(accepted), ADDRESS, 0)
    timetable: Timetable = []
    async for request in requests:
        match request:
            case ("port",):
                requests.answer(server.sockets[0].getsockname()[1])
            case ("load", name, *arguments):
                timetable = steady(*arguments) if name == "steady" else as_recorded(*arguments)
                requests.answer(sum(len(burst) for _, burst in timetable))
            case ("send", sessions):
                peers = [await ready.get() for _ in range(sessions)]
                began = asyncio.get_running_loop().time() + 0.05
                phases = [began + _STEP_S * number / sessions for number in range(sessions)]
                departures = await asyncio.gather(*map(_send, peers, phases, [timetable] * sessions))
                requests.answer(departures)
    server.close()


async def _serve(peer: Peer, tls: ssl.SSLContext, ready: "asyncio.Queue[Peer]") -> None:
    handshake = ServerHandshake()
    try:
        peer.write(handshake.receive(await peer.read_pdu(limit=_HANDSHAKE_PDU)))
        await peer.start_tls(tls, server_side=True, timeout_s=_HANDSHAKE_S)
    except ConnectionError:
        return  # somebody looked whether the port answers

    def receive(data: bytes) -> None:
        was_active = handshake.active
        peer.write(handshake.receive(data))
        if handshake.active and not was_active:
            ready.put_nowait(peer)

    peer.begin_relay(receive=receive, backlog=lambda waiting: None, buffer_bytes=_BUFFER_BYTES)


async def _send(peer: Peer, began: float, timetable: Timetable) -> list[int]:
    loop = asyncio.get_running_loop()
    departures = []
    for due, burst in timetable:
        if (wait_s := began + due - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        for pdu in burst:
            departures.append(time.monotonic_ns())
            peer.write(pdu)
    return departures


async def clients(requests: Requests) -> None:
    """RDP clients. `connect PORT SESSIONS` answers when their desktops are shown, in the order in which the host
    got them; `arrivals COUNT` waits until each has got COUNT PDUs and answers when, in nanoseconds; `disconnect`."""
    desktops: list[_Desktop] = []
    async for request in requests:
        match request:
            case ("connect", port, sessions):
                for _ in range(sessions):
                    desktops.append(_Desktop(await _connected(port)))
                    await desktops[-1].connect()
                requests.answer(None)
            case ("arrivals", count):
                for desktop in desktops:
                    async with asyncio.timeout(_HANDSHAKE_S):
                        await desktop.arrived(count)
                requests.answer([desktop.times for desktop in desktops])
            case ("disconnect",):
                for desktop in desktops:
                    await desktop.peer.close(grace_s=1.0)
                desktops.clear()
                requests.answer(None)


async def _connected(port: int) -> Peer:
    _, peer = await asyncio.get_running_loop().create_connection(Peer, ADDRESS, port)
    return peer


class _Desktop:
    """One client: the real handshake, then nothing but the time at which each PDU is complete."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.times: list[int] = []
        self._handshake = ClientHandshake(username="user", password=Secret("password"), token="ticket")
        self._shown = asyncio.Event()
        self._enough = asyncio.Event()
        self._wanted = 0
        self._missing = 0
        self._head = b""

    async def connect(self) -> None:
        peer, handshake = self.peer, self._handshake
        peer.write(handshake.start())
        handshake.receive(await peer.read_pdu(limit=_HANDSHAKE_PDU))
        await peer.start_tls(pinning_context(), server_side=False, timeout_s=_HANDSHAKE_S)
        peer.begin_relay(receive=self._receive, backlog=lambda waiting: None, buffer_bytes=_BUFFER_BYTES)
        peer.write(handshake.secured())
        async with asyncio.timeout(_HANDSHAKE_S):
            await self._shown.wait()

    async def arrived(self, count: int) -> None:
        self._wanted = count
        if len(self.times) < count:
            await self._enough.wait()

    def _receive(self, data: bytes) -> None:
        if self._shown.is_set():
            self._count(data)
            return
        if answer := self._handshake.receive(data):
            self.peer.write(answer)
        if self._handshake.active:
            self._shown.set()

    def _count(self, data: bytes) -> None:
        now, position = time.monotonic_ns(), 0
        if self._head:
            data, self._head = self._head + data, b""
        while True:
            step = min(self._missing, len(data) - position)
            self._missing -= step
            position += step
            if self._missing:
                return
            if step:
                self.times.append(now)
                if len(self.times) == self._wanted:
                    self._enough.set()
            length = pdu_length(data, position)
            if length is None:
                self._head = data[position:]
                return
            self._missing = length
