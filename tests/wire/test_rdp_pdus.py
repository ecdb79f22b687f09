"""Each PDU of the connection sequence: captured ones come out as they went in, random ones survive the round
trip, and broken ones raise ProtocolError and nothing else."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.secret import Secret
from lucid.wire.rdp import mcs, share, x224
from lucid.wire.rdp.capabilities import Capability, ConfirmActive, DemandActive
from lucid.wire.rdp.client import ClientHandshake, ClientState
from lucid.wire.rdp.gcc import (
    CS_CORE,
    CS_NET,
    SC_NET,
    Block,
    Channel,
    channels_block,
    client_core,
    find_block,
    parse_channels,
    server_channels,
)
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.server import ServerHandshake
from lucid.wire.rdp.updates import BitmapUpdate, UpdateReader
from tests.wire.session import GOLDEN, golden, refusal

NAMES = sorted(path.stem for path in GOLDEN.glob("*.bin") if not path.name.startswith("bitmap"))
u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
blocks = st.lists(st.builds(Block, u16, st.binary(max_size=60)), max_size=6).map(tuple)
sets = st.lists(st.builds(Capability, u16, st.binary(max_size=60)), max_size=6).map(tuple)
text = st.text(max_size=40)


def _payload(name: str) -> bytes:
    return mcs.SendData.from_bytes(golden(name)).payload


def _control(name: str) -> share.ShareControl:
    (control,) = share.parse_share(_payload(name))
    return control


def test_connection_requests() -> None:
    request = x224.ConnectionRequest.from_bytes(golden("freerdp_connection_request"))
    assert (request.cookie, request.requested_protocols) == (b"Cookie: mstshash=throwaway", x224.PROTOCOL_SSL)
    assert request.token == "throwaway"
    routed = x224.ConnectionRequest.from_bytes(golden("freerdp_connection_request_token"))
    assert routed.cookie == b"lucid=TICKET-16-0123456789"
    assert routed.token == "TICKET-16-0123456789"


def test_a_routing_token_without_line_end_is_found() -> None:
    whole = x224.ConnectionRequest(b"lucid=T", 3, 0).to_bytes()
    bare = bytearray(whole.replace(b"\r\n", b""))
    bare[3] -= 2
    bare[4] -= 2
    assert x224.ConnectionRequest.from_bytes(bytes(bare)) == x224.ConnectionRequest(b"lucid=T", 3, 0)


@pytest.mark.parametrize("cookie", [b"", b"lucid=", b"Cookie: msts=", b"\xff\xfe"])
def test_no_token(cookie: bytes) -> None:
    assert x224.ConnectionRequest(cookie, 1, 0).token is None


def test_confirms() -> None:
    confirm = x224.parse_confirm(golden("xrdp_connection_confirm"))
    assert confirm == x224.ConnectionConfirm(x224.PROTOCOL_SSL, x224.EXTENDED_CLIENT_DATA_SUPPORTED)
    failure = x224.NegotiationFailure(x224.SSL_REQUIRED_BY_SERVER)
    assert x224.parse_confirm(failure.to_bytes()) == failure
    with pytest.raises(ProtocolError):
        x224.ConnectionConfirm.from_bytes(failure.to_bytes())


def test_connect_initial_and_response() -> None:
    initial = mcs.ConnectInitial.from_bytes(golden("freerdp_connect_initial"))
    assert mcs.ConnectInitial.from_bytes(initial.to_bytes()) == initial
    core, net = find_block(initial.blocks, CS_CORE), find_block(initial.blocks, CS_NET)
    assert core is not None
    assert net is not None
    assert (core.u16(8), core.u16(10)) == (1280, 720)
    assert [channel.name for channel in parse_channels(net)] == ["rdpdr", "rdpsnd", "cliprdr"]
    response = mcs.ConnectResponse.from_bytes(golden("xrdp_connect_response"))
    response_net = find_block(response.blocks, SC_NET)
    assert response_net is not None
    assert server_channels(response_net) == (1003, (1004, 1005, 1006))


def test_joining() -> None:
    assert golden("freerdp_erect_domain") == mcs.erect_domain()
    assert golden("freerdp_attach_request") == mcs.attach_request()
    assert golden("xrdp_attach_confirm") == mcs.attach_confirm(6)
    assert mcs.parse_attach_confirm(golden("xrdp_attach_confirm")) == 6
    assert mcs.parse_join_request(golden("freerdp_join_request")) == (6, 1007)
    assert golden("freerdp_join_request") == mcs.join_request(6, 1007)
    assert golden("xrdp_join_confirm") == mcs.join_confirm(6, 1007)


def test_client_info() -> None:
    info = share.ClientInfo.from_payload(_payload("freerdp_client_info"))
    assert (info.user, info.password.reveal()) == ("throwaway", "client-ticket-9")
    assert info.to_payload()[4:] == _payload("freerdp_client_info")[4:]
    assert "client-ticket-9" not in repr(info)


def test_licensing() -> None:
    assert share.is_license(_payload("xrdp_license_request"))
    assert share.is_license(_payload("freerdp_license_request_answer"))
    assert _payload("xrdp_license_valid")[4] == 0xFF
    alike = share.ShareControl(share.DATA, 1003, bytes(122)).to_bytes()
    assert len(alike) == share.SEC_LICENSE_PKT
    assert not share.is_license(alike)


def test_capabilities() -> None:
    confirm = ConfirmActive.from_body(_control("freerdp_confirm_active").body)
    assert confirm.to_body() == _control("freerdp_confirm_active").body
    assert confirm.source == b"FREERDP\0"
    demand = DemandActive.from_body(_control("xrdp_demand_active").body)
    assert demand.to_body() == _control("xrdp_demand_active").body


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("freerdp_synchronize", share.SYNCHRONIZE),
        ("freerdp_control", share.CONTROL),
        ("freerdp_font_list", share.FONT_LIST),
        ("xrdp_synchronize", share.SYNCHRONIZE),
        ("xrdp_control", share.CONTROL),
        ("xrdp_font_map", share.FONT_MAP),
        ("xrdp_bitmap_update", share.UPDATE),
    ],
)
def test_finalization(name: str, kind: int) -> None:
    control = _control(name)
    assert control.type == share.DATA
    assert share.ShareData.from_body(control.body).type == kind


@given(st.binary(max_size=238).filter(lambda c: b"\r\n" not in c and c[:1] != b"\x01" and c[-1:] != b"\r"), u32)
def test_request_round_trip(cookie: bytes, protocols: int) -> None:
    request = x224.ConnectionRequest(cookie, protocols, 1)
    assert x224.ConnectionRequest.from_bytes(request.to_bytes()) == request


@given(u32, st.integers(0, 255))
def test_confirm_round_trip(value: int, flags: int) -> None:
    confirm = x224.ConnectionConfirm(value, flags)
    assert x224.ConnectionConfirm.from_bytes(confirm.to_bytes()) == confirm


@given(blocks)
def test_connect_round_trip(data: tuple[Block, ...]) -> None:
    assert mcs.ConnectInitial.from_bytes(mcs.ConnectInitial(data).to_bytes()) == mcs.ConnectInitial(data)
    assert mcs.ConnectResponse.from_bytes(mcs.ConnectResponse(data).to_bytes()) == mcs.ConnectResponse(data)


@given(u16, u16, st.binary(max_size=300), st.booleans())
def test_channel_data_round_trip(user: int, channel: int, payload: bytes, indication: bool) -> None:
    sent = mcs.SendData(user, channel, payload, indication)
    assert mcs.SendData.from_bytes(sent.to_bytes()) == sent


@given(text, text, text, u32, st.binary(max_size=200))
def test_client_info_round_trip(domain: str, user: str, password: str, flags: int, extra: bytes) -> None:
    info = share.ClientInfo(flags | share.INFO_UNICODE, domain, user, Secret(password), "shell", "dir", 7, extra)
    assert share.ClientInfo.from_payload(info.to_payload()) == info


@given(u32, sets, st.binary(max_size=20))
def test_capabilities_round_trip(share_id: int, data: tuple[Capability, ...], source: bytes) -> None:
    demand = DemandActive(share_id, data, source, 5)
    assert DemandActive.from_body(demand.to_body()) == demand
    confirm = ConfirmActive(share_id, data, source)
    assert ConfirmActive.from_body(confirm.to_body()) == confirm


@given(st.lists(st.builds(Channel, st.text("abcdefxyz", max_size=7), u32), max_size=31))
def test_channels_round_trip(channels: list[Channel]) -> None:
    assert list(parse_channels(channels_block(channels))) == channels


@given(st.lists(st.builds(share.ShareControl, st.integers(0, 15), u16, st.binary(max_size=50)), max_size=4))
def test_share_control_round_trip(controls: list[share.ShareControl]) -> None:
    assert share.parse_share(b"".join(control.to_bytes() for control in controls)) == controls


def test_client_core_names() -> None:
    core = client_core(width=800, height=600, name="a-name-that-is-too-long", protocol=1)
    assert len(core.data) == 212
    assert core.u32(212) == 1


def _attempt(parse: Callable[[bytes], object], data: bytes) -> None:
    detail = refusal(parse, data)
    assert "\n" not in detail
    assert len(detail) < 100


def _client(data: bytes) -> None:
    client = ClientHandshake(username="u", password=Secret("p"))
    client.receive(golden("xrdp_connection_confirm"))
    assert client.state is ClientState.SECURE
    client.secured()
    client.receive(golden("xrdp_connect_response"))
    client.receive(data)


def _server(data: bytes) -> None:
    server = ServerHandshake()
    server.receive(golden("freerdp_connection_request"))
    server.receive(golden("freerdp_connect_initial"))
    server.receive(data)


def _io(data: bytes) -> None:
    for control in share.parse_share(mcs.SendData.from_bytes(data).payload):
        _attempt(DemandActive.from_body, control.body)
        _attempt(ConfirmActive.from_body, control.body)
        _attempt(share.ShareData.from_body, control.body)


PARSERS: list[Callable[[bytes], object]] = [
    x224.ConnectionRequest.from_bytes,
    x224.parse_confirm,
    mcs.ConnectInitial.from_bytes,
    mcs.ConnectResponse.from_bytes,
    mcs.parse_attach_confirm,
    mcs.parse_join_request,
    mcs.parse_join_confirm,
    share.ClientInfo.from_payload,
    lambda data: share.ClientInfo.from_payload(mcs.SendData.from_bytes(data).payload),
    lambda data: parse_channels(Block(0xC003, data)),
    lambda data: server_channels(Block(0x0C03, data)),
    lambda data: UpdateReader().feed(data),
    BitmapUpdate.from_bytes,
    _io,
    _client,
    _server,
    lambda data: ServerHandshake().receive(data),
]


def _broken(pdu: bytes) -> Iterable[bytes]:
    """Cut at each byte; each bit of the first 48 bytes flipped, then one bit of each byte."""
    head = pdu[:500]
    yield from (pdu[:length] for length in range(len(head)))
    for at in range(len(head)):
        for bit in range(8) if at < 48 else (at % 8,):
            yield pdu[:at] + bytes((pdu[at] ^ 1 << bit,)) + pdu[at + 1 :]


@pytest.mark.parametrize("name", NAMES)
def test_broken_pdus_raise_nothing_else(name: str) -> None:
    for data in _broken(golden(name)):
        for parse in PARSERS:
            _attempt(parse, data)


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    for parse in PARSERS:
        _attempt(parse, data)
