"""A whole connection in memory: client, relay and server, and what the relay had recorded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lucid.wire.rdp.client import ClientHandshake
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.relay import Relay
from lucid.wire.rdp.server import ServerHandshake

GOLDEN = Path(__file__).parent / "golden"
HOST_PASSWORD = "geheim-ä-42"


def golden(name: str) -> bytes:
    """A PDU captured from FreeRDP 2.11.7 or xrdp 0.9.21, with throw-away names and passwords; `freerdp3` is
    FreeRDP 3.15.0, `xrdp010` is xrdp 0.10.1."""
    return (GOLDEN / f"{name}.bin").read_bytes()


def refusal(parse: Callable[..., object], *data: bytes) -> str:
    """The detail of the ProtocolError that `parse` raises, else nothing; other errors pass through."""
    try:
        parse(*data)
    except ProtocolError as error:
        return error.detail
    return ""


@dataclass
class Session:
    client: ClientHandshake
    relay: Relay
    server: ServerHandshake
    recorded_client: bytearray = field(default_factory=bytearray)
    recorded_host: bytearray = field(default_factory=bytearray)

    def to_host(self, data: bytes, step: int = 1 << 16) -> bytes:
        """Client bytes through the relay, in pieces of `step`; the server's answer."""
        answer = b""
        for at in range(0, len(data), step):
            relayed = self.relay.from_client(data[at : at + step])
            self.recorded_client += relayed.record
            answer += self.server.receive(relayed.to_peer)
        return answer

    def to_client(self, data: bytes, step: int = 1 << 16) -> bytes:
        """Host bytes through the relay, in pieces of `step`; the client's answer."""
        answer = b""
        for at in range(0, len(data), step):
            relayed = self.relay.from_host(data[at : at + step])
            self.recorded_host += relayed.record
            answer += self.client.receive(relayed.to_peer)
        return answer

    def connect(self, step: int = 1 << 16) -> None:
        """Run the sequence until the client is active."""
        out = self.client.secured()
        while out:
            out = self.to_client(self.to_host(out, step), step)
