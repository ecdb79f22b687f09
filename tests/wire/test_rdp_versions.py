"""Newer peers than those of the other captured PDUs: FreeRDP 3.15 connecting to xrdp 0.10.1."""

import pytest

from lucid.base.secret import Secret
from lucid.wire.rdp import capabilities, mcs, share
from lucid.wire.rdp.capabilities import ConfirmActive
from lucid.wire.rdp.gcc import CS_CORE, CS_MULTITRANSPORT, CS_NET, find_block, parse_channels
from lucid.wire.rdp.pdu import PduReader
from lucid.wire.rdp.relay import Relay
from lucid.wire.rdp.updates import DesktopSize, UpdateReader
from lucid.wire.rdp.x224 import PROTOCOL_HYBRID, PROTOCOL_SSL, ConnectionRequest
from tests.wire.session import HOST_PASSWORD, golden

FROM_HOST = ("xrdp010_connect_response", "xrdp010_license_valid", "xrdp010_demand_active")


def _payload(pdu: bytes) -> bytes:
    return mcs.SendData.from_bytes(pdu).payload


def _relay() -> Relay:
    return Relay(
        client_request=ConnectionRequest.from_bytes(golden("freerdp3_connection_request")),
        username="hostuser",
        password=Secret(HOST_PASSWORD),
        domain="",
        channels=frozenset(),
    )


def test_the_request_carries_the_ticket_and_offers_nla_beside_tls() -> None:
    request = ConnectionRequest.from_bytes(golden("freerdp3_connection_request"))
    assert request.token == "TICKET-16-0123456789"
    assert request.requested_protocols == PROTOCOL_SSL | PROTOCOL_HYBRID


def test_a_licence_with_more_flags_is_a_licence() -> None:
    """xrdp 0.10 adds SEC_LICENSE_ENCRYPT_CS, 0x9 leaves something in the header's unused half."""
    assert _payload(golden("xrdp010_license_valid"))[:4] == bytes.fromhex("80020000")
    assert _payload(golden("xrdp_license_valid"))[:4] == bytes.fromhex("80001000")
    assert share.is_license(_payload(golden("xrdp010_license_valid")))
    assert share.is_license(_payload(golden("xrdp_license_valid")))


@pytest.mark.parametrize("source", [1002, 1003, 1004])
@pytest.mark.parametrize("length", [128, 134, 640, 1006])
def test_share_control_of_a_length_like_licence_flags_is_no_licence(source: int, length: int) -> None:
    """At 1006 bytes the share's id, 1002 at its low end, is also the size that a licence would state."""
    data = share.ShareData(0x0001_03EA, share.UPDATE, bytes(length - 18)).to_body()
    payload = share.ShareControl(share.DATA, source, data).to_bytes()
    assert len(payload) == length
    assert payload[0] & share.SEC_LICENSE_PKT
    assert not share.is_license(payload)


def test_the_whole_sequence_through_the_relay() -> None:
    relay = _relay()
    initial = mcs.ConnectInitial.from_bytes(relay.from_client(golden("freerdp3_connect_initial")).to_peer)
    core, net = find_block(initial.blocks, CS_CORE), find_block(initial.blocks, CS_NET)
    transport = find_block(initial.blocks, CS_MULTITRANSPORT)
    assert core is not None
    assert net is not None
    assert transport is not None
    assert core.u16(144) & 0x0582 == 0x0002
    assert [channel.name for channel in parse_channels(net)] == ["x0", "x1", "x2", "x3"]
    assert transport.data == bytes(4)

    record = relay.from_host(golden("xrdp010_connect_response")).record
    info = share.ClientInfo.from_payload(_payload(relay.from_client(golden("freerdp3_client_info")).to_peer))
    assert (info.user, info.password.reveal()) == ("hostuser", HOST_PASSWORD)
    assert relay.established
    for name in FROM_HOST[1:]:
        relayed = relay.from_host(golden(name))
        assert relayed.to_peer == golden(name)
        record += relayed.record
    assert DesktopSize(800, 600) in UpdateReader().feed(record)

    (pdu,) = PduReader().feed(relay.from_client(golden("freerdp3_confirm_active")).to_peer)
    (control,) = share.parse_share(_payload(pdu))
    found = {s.type for s in ConfirmActive.from_body(control.body).capabilities}
    assert not {capabilities.BITMAP_CODECS, capabilities.FRAME_ACKNOWLEDGE} & found
    assert relay.desktop == (800, 600)
