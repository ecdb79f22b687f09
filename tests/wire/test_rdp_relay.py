"""The gateway's tee between our own client and server, and on captured PDUs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.secret import Secret
from lucid.wire.rdp import capabilities, mcs, share
from lucid.wire.rdp.capabilities import Capability, ConfirmActive
from lucid.wire.rdp.client import ClientState
from lucid.wire.rdp.gcc import CS_CORE, CS_NET, SC_CORE, Block, find_block, parse_channels
from lucid.wire.rdp.pdu import PduReader, ProtocolError
from lucid.wire.rdp.relay import Relay
from lucid.wire.rdp.share import ShareControl, ShareData
from lucid.wire.rdp.updates import BitmapUpdate, DesktopSize, Rectangle, slow_path_update
from lucid.wire.rdp.x224 import ConnectionRequest
from tests.wire.session import HOST_PASSWORD, Session, golden, refusal

UPDATE = BitmapUpdate((Rectangle(0, 0, 3, 1, 4, 2, 32, False, bytes(range(32))),))


def _relay() -> Relay:
    return Relay(
        client_request=ConnectionRequest(b"", 3, 0),
        username="hostuser",
        password=Secret(HOST_PASSWORD),
        domain="CORP",
        channels=frozenset({"cliprdr"}),
    )


def _running() -> Relay:
    relay = _relay()
    relay.from_client(golden("freerdp_connect_initial"))
    relay.from_host(golden("xrdp_connect_response"))
    relay.from_client(golden("freerdp_client_info"))
    return relay


def _host_data(kind: int, data: bytes) -> ShareControl:
    return ShareControl(share.DATA, 1003, ShareData(1, kind, data).to_body())


def _from_host(*controls: ShareControl) -> bytes:
    return mcs.SendData(1, 1003, b"".join(c.to_bytes() for c in controls), indication=True).to_bytes()


@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_a_session_through_the_relay(session: Session, step: int) -> None:
    assert not session.relay.established
    session.connect(step)
    assert session.client.active
    assert session.server.active
    assert session.relay.established
    assert session.relay.desktop == (640, 480)
    assert session.relay.client_name == "lucid"
    assert session.server.channels == ("cliprdr", "x1")
    info = session.server.client_info
    assert info is not None
    assert (info.user, info.password) == ("hostuser", Secret(HOST_PASSWORD))
    session.to_client(session.server.update(UPDATE), step)
    assert session.client.take_updates() == [DesktopSize(640, 480), UPDATE]


def test_no_credential_is_recorded(session: Session) -> None:
    session.connect()
    recorded = bytes(session.recorded_client + session.recorded_host)
    for secret in (HOST_PASSWORD, "ticket-as-password", "hostuser", "somebody"):
        assert secret.encode("utf-16-le") not in recorded
        assert secret.encode() not in recorded
    kinds = [mcs.choice(pdu) for pdu in PduReader().feed(bytes(session.recorded_client))]
    assert kinds[:3] == [mcs.CONNECT, mcs.ERECT_DOMAIN, mcs.ATTACH_REQUEST]


def test_the_relay_forgets_the_password() -> None:
    relay = _running()
    assert relay.established
    assert relay._inject is None


def test_reactivation_with_another_size(session: Session) -> None:
    session.connect()
    answer = session.to_client(session.server.resize(800, 600))
    assert session.client.state is ClientState.FINALIZE
    session.to_client(session.to_host(answer))
    assert session.client.active
    assert session.relay.desktop == session.client.desktop == (800, 600)


def test_input_is_counted_and_reaches_the_host(session: Session) -> None:
    session.connect()
    pressed = session.client.key(0x1C, down=True) + session.client.mouse(5, 6, button="left", down=True)
    session.to_host(pressed + session.client.text("hi"), 3)
    assert session.relay.input_count == 6
    assert b"".join(session.server.take_input()).startswith(pressed)


def test_slow_path_input_is_counted() -> None:
    relay = _running()
    data = ShareData(1, share.INPUT, b"\x02\0\0\0" + bytes(24)).to_body()
    relay.from_client(mcs.SendData(6, 1003, ShareControl(share.DATA, 1007, data).to_bytes()).to_bytes())
    assert relay.input_count == 2


@pytest.mark.parametrize("side", ["client", "host"])
def test_disconnects_pass(session: Session, side: str) -> None:
    session.connect()
    if side == "client":
        session.to_host(session.client.disconnect())
    else:
        session.to_client(session.server.disconnect())
    assert session.client.state is ClientState.CLOSED


def test_the_host_sees_a_patched_connect_initial() -> None:
    relayed = _relay().from_client(golden("freerdp_connect_initial"))
    assert relayed.record == relayed.to_peer
    initial = mcs.ConnectInitial.from_bytes(relayed.to_peer)
    core, net = find_block(initial.blocks, CS_CORE), find_block(initial.blocks, CS_NET)
    assert core is not None
    assert net is not None
    assert (core.u16(140), core.u16(142), core.u32(212)) == (24, 0x0F, 1)
    assert core.u16(144) & 0x0582 == 0x0002
    assert [channel.name for channel in parse_channels(net)] == ["x0", "x1", "cliprdr"]


def test_the_client_sees_its_own_protocols_echoed() -> None:
    relay = _relay()
    relay.from_client(golden("freerdp_connect_initial"))
    response = mcs.ConnectResponse.from_bytes(relay.from_host(golden("xrdp_connect_response")).to_peer)
    core = find_block(response.blocks, SC_CORE)
    assert core is not None
    assert core.u32(8) == 3


def test_the_host_sees_injected_credentials_and_nothing_of_it_is_recorded() -> None:
    relay = _relay()
    relay.from_client(golden("freerdp_connect_initial"))
    relay.from_host(golden("xrdp_connect_response"))
    relayed = relay.from_client(golden("freerdp_client_info") + golden("freerdp_synchronize"))
    assert relayed.record == golden("freerdp_synchronize")
    sent = PduReader().feed(relayed.to_peer)
    info = share.ClientInfo.from_payload(mcs.SendData.from_bytes(sent[0]).payload)
    original = share.ClientInfo.from_payload(mcs.SendData.from_bytes(golden("freerdp_client_info")).payload)
    assert (info.domain, info.user, info.password.reveal()) == ("CORP", "hostuser", HOST_PASSWORD)
    assert info.flags & share.INFO_AUTOLOGON
    assert not info.flags & (share.INFO_COMPRESSION | share.INFO_COMPRESSION_TYPES)
    assert info.extra == original.extra


def test_a_client_starts_no_program_past_the_recording() -> None:
    relay = _relay()
    relay.from_client(golden("freerdp_connect_initial"))
    relay.from_host(golden("xrdp_connect_response"))
    sent = mcs.SendData.from_bytes(golden("freerdp_client_info"))
    info = replace(share.ClientInfo.from_payload(sent.payload), shell="sh -c 'rm -r /srv'", directory="/srv")
    relayed = relay.from_client(replace(sent, payload=info.to_payload()).to_bytes())
    seen = share.ClientInfo.from_payload(mcs.SendData.from_bytes(relayed.to_peer).payload)
    assert (seen.shell, seen.directory, relayed.record) == ("", "", b"")


def test_the_host_sees_patched_capabilities() -> None:
    sent = mcs.SendData.from_bytes(_running().from_client(golden("freerdp_confirm_active")).to_peer)
    (control,) = share.parse_share(sent.payload)
    found = {s.type: s for s in ConfirmActive.from_body(control.body).capabilities}
    assert found[capabilities.GENERAL].u16(14) & capabilities.FAST_PATH_OUTPUT
    assert found[capabilities.ORDER].data[32:64] == bytes(32)
    assert found[capabilities.SURFACE_COMMANDS].data[:4] == bytes(4)
    assert found[capabilities.BITMAP].u8(23) & 0x06 == 0
    assert not {capabilities.BITMAP_CODECS, capabilities.FRAME_ACKNOWLEDGE} & found.keys()


def test_optional_fields_may_be_missing() -> None:
    relay = _relay()
    core = Block(CS_CORE, bytes(128))
    initial = mcs.ConnectInitial((core,))
    assert mcs.ConnectInitial.from_bytes(relay.from_client(initial.to_bytes()).to_peer) == initial
    short = Capability(capabilities.ORDER, b"\xff" * 40)
    confirm = ConfirmActive(1, (short,))
    relay = _running()
    pdu = mcs.SendData(6, 1003, ShareControl(share.CONFIRM_ACTIVE, 1007, confirm.to_body()).to_bytes()).to_bytes()
    (control,) = share.parse_share(mcs.SendData.from_bytes(relay.from_client(pdu).to_peer).payload)
    (patched,) = ConfirmActive.from_body(control.body).capabilities
    assert patched.data == b"\xff" * 32 + bytes(8)


@pytest.mark.parametrize("step", [1, 13, 1 << 16])
def test_save_session_info_is_dropped(step: int) -> None:
    relay = _running()
    info = _host_data(share.SAVE_SESSION_INFO, "real-name".encode("utf-16-le") + bytes(500))
    update = slow_path_update(UPDATE, share_id=1)
    control = _host_data(share.CONTROL, bytes(8))
    stream = update + _from_host(info) + update + _from_host(info, control) + update
    sent = record = b""
    for at in range(0, len(stream), step):
        relayed = relay.from_host(stream[at : at + step])
        sent += relayed.to_peer
        record += relayed.record
    assert sent == record == update + update + _from_host(control) + update


def test_save_session_info_as_long_as_a_licence_flag_is_dropped() -> None:
    info = _host_data(share.SAVE_SESSION_INFO, bytes(128 - 18))
    assert len(info.to_bytes()) == share.SEC_LICENSE_PKT
    assert _running().from_host(_from_host(info)).to_peer == b""


def test_save_session_info_behind_an_update_is_dropped() -> None:
    update = _host_data(share.UPDATE, UPDATE.to_bytes())
    info = _host_data(share.SAVE_SESSION_INFO, bytes(64))
    assert _running().from_host(_from_host(update, info)).to_peer == _from_host(update)


def test_redirection_past_the_gateway_is_refused() -> None:
    with pytest.raises(ProtocolError, match="redirects"):
        _running().from_host(_from_host(ShareControl(share.REDIRECTION, 1003, bytes(40))))


def test_updates_pass_as_they_come_and_uncopied() -> None:
    relay = _running()
    data = golden("xrdp_bitmap_update") * 3 + golden("xrdp_pointer_fast_path")
    relayed = relay.from_host(data)
    assert relayed.to_peer is relayed.record is data
    cut = relay.from_host(data[:100])
    assert cut.to_peer == data[:100]
    assert relay.from_host(data[100:]).to_peer == data[100:]


def test_only_the_client_info_may_follow_the_joins() -> None:
    relay = _relay()
    with pytest.raises(ProtocolError):
        relay.from_client(golden("freerdp_attach_request"))
    relay = _relay()
    relay.from_client(golden("freerdp_connect_initial"))
    relay.from_host(golden("xrdp_connect_response"))
    for early in ("freerdp_confirm_active", "freerdp_channel_data", "freerdp_input_fast_path"):
        with pytest.raises(ProtocolError):
            relay.from_client(golden(early))
    with pytest.raises(ProtocolError):
        _running().from_client(golden("freerdp_connect_initial"))
    with pytest.raises(ProtocolError):
        _running().from_client(golden("xrdp_bitmap_update"))


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=8), st.booleans())
def test_random_bytes_raise_nothing_else_and_record_no_password(pieces: list[tuple[bool, bytes]], up: bool) -> None:
    relay = _running() if up else _relay()
    record = bytearray()

    def feed() -> None:
        for client, data in pieces:
            record.extend((relay.from_client if client else relay.from_host)(data).record)

    assert HOST_PASSWORD not in refusal(feed)
    assert HOST_PASSWORD.encode("utf-16-le") not in record


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (True, "freerdp_confirm_active"),
        (True, "freerdp_font_list"),
        (False, "xrdp_demand_active"),
        (False, "xrdp_font_map"),
        (True, "freerdp_client_info"),
    ],
)
def test_flipped_bits_raise_nothing_else(client: bool, name: str) -> None:
    pdu = golden(name)
    for bit in range(len(pdu) * 8):
        flipped = bytearray(pdu)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        if name == "freerdp_client_info":
            relay = _relay()
            relay.from_client(golden("freerdp_connect_initial"))
            relay.from_host(golden("xrdp_connect_response"))
        else:
            relay = _running()
        assert "\n" not in refusal(relay.from_client if client else relay.from_host, bytes(flipped))
