"""A connection in memory for the tests of this folder."""

import pytest

from lucid.base.secret import Secret
from lucid.wire.rdp.client import ClientHandshake
from lucid.wire.rdp.relay import Relay
from lucid.wire.rdp.server import ServerHandshake
from lucid.wire.rdp.x224 import ConnectionRequest
from tests.wire.session import HOST_PASSWORD, Session


@pytest.fixture
def session() -> Session:
    """Client, relay and server in memory, before the first byte of MCS."""
    client = ClientHandshake(
        username="somebody",
        password=Secret("ticket-as-password"),
        token="TICKET",
        width=640,
        height=480,
        channels=("cliprdr", "rdpdr"),
    )
    server = ServerHandshake()
    request = client.start()
    client.receive(server.receive(request))
    relay = Relay(
        client_request=ConnectionRequest.from_bytes(request),
        username="hostuser",
        password=Secret(HOST_PASSWORD),
        domain="",
        channels=frozenset({"cliprdr"}),
    )
    return Session(client, relay, server)
