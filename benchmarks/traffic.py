"""Real RDP traffic: what xrdp sends while text scrolls, recorded once and kept in build/benchmarks/."""

import itertools
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.desktop import HEIGHT, WIDTH, write_activity
from lucid.base.secret import Secret
from lucid.crypto.certificate import pinning_context
from lucid.model.frame import HEAD_BYTES, Direction, Frame, encode_frames
from lucid.wire.rdp.client import ClientHandshake, ClientState
from lucid.wire.rdp.pdu import PduReader
from tests.real.xrdp_host import XrdpHost, running_xrdp

WORK = Path("build/benchmarks")
"""On the disk of the repository, since a temporary folder may be in memory, where syncing costs nothing."""

SECONDS = 45.0
_SETTLE_S = 5.0
_FILE = WORK / "traffic.frames"


def traffic() -> bytes:
    """About 200 MB: encoded frames (docs/format.md section 1) of the host's direction, each of them whole PDUs.
    The first call takes a minute and needs root and the packages of `scripts/setup bench-packages`."""
    if not _FILE.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        fresh = _FILE.with_suffix(".new")
        fresh.write_bytes(encode_frames(_record()))
        fresh.replace(_FILE)
    return _FILE.read_bytes()


def _record() -> Iterator[Frame]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        startup = f'#!/bin/sh\nxsetroot -solid "#204060"\n{write_activity(folder)}\nexec openbox\n'
        with running_xrdp(folder, startup) as host:
            yield from _watch(host)


def _watch(host: XrdpHost) -> Iterator[Frame]:
    client = ClientHandshake(username=host.username, password=Secret(host.password), width=WIDTH, height=HEIGHT)
    with socket.create_connection((host.address, host.port)) as plain:
        plain.sendall(client.start())
        while client.state is ClientState.NEGOTIATE:
            client.receive(plain.recv(4096))
        with pinning_context().wrap_socket(plain) as secure:
            secure.sendall(client.secured())
            reader = PduReader()
            _settle(client, secure, reader)
            began = time.monotonic()
            while (elapsed := time.monotonic() - began) < SECONDS:
                if pdus := b"".join(reader.feed(_received(secure))):
                    yield Frame(int(elapsed * 1e6), Direction.SERVER_TO_CLIENT, pdus)


def _settle(client: ClientHandshake, secure: ssl.SSLSocket, reader: PduReader) -> None:
    """Log on and wait until the windows are there."""
    until = time.monotonic() + 30.0
    while time.monotonic() < until:
        for pdu in reader.feed(_received(secure)):
            if answer := client.receive(pdu):
                secure.sendall(answer)
        client.take_updates()
        if client.active:
            until = min(until, time.monotonic() + _SETTLE_S)
    if not client.active:
        raise TimeoutError("xrdp shows no desktop within 30 s")


def _received(secure: ssl.SSLSocket) -> bytes:
    data = secure.recv(262_144)
    if not data:
        raise ConnectionResetError("xrdp closed the connection")
    return data


def segments(limit: int = 8 * 1024 * 1024) -> list[bytes]:
    """The traffic as the recorder would cut it: encoded frames, a new segment once `limit` bytes are reached."""
    data, cuts, position = traffic(), [0], 0
    while position < len(data):
        position += HEAD_BYTES + int.from_bytes(data[position + 9 : position + HEAD_BYTES], "big")
        if position - cuts[-1] >= limit or position == len(data):
            cuts.append(position)
    return [data[start:end] for start, end in itertools.pairwise(cuts)]
