"""The gateway's tee: patches the connection sequence, injects the host's credentials, then passes bytes on
and says what to record. After the handshake the host's stream is only hopped over, PDU by PDU."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from lucid.base.secret import Secret
from lucid.wire.rdp import mcs, share
from lucid.wire.rdp.capabilities import ConfirmActive, desktop_size
from lucid.wire.rdp.gcc import CS_CORE, SC_NET, client_name, find_block, server_channels
from lucid.wire.rdp.mcs import ConnectInitial, ConnectResponse, SendData
from lucid.wire.rdp.patches import (
    patch_client_info,
    patch_confirm_active,
    patch_connect_initial,
    patch_connect_response,
)
from lucid.wire.rdp.pdu import Cursor, PduReader, ProtocolError, pdu_length
from lucid.wire.rdp.share import ClientInfo, ShareControl, ShareData, parse_share
from lucid.wire.rdp.x224 import PROTOCOL_SSL, ConnectionRequest

_PEEK = 30
"""Bytes that tell what a slow-path PDU is: TPKT 4, X.224 3, MCS 8, share control 6, share data up to its
type 9."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What to send on and what to record of it; both may be empty, and are often the same object."""

    to_peer: bytes
    record: bytes


_NOTHING = Relayed(b"", b"")
_JOINING = frozenset({mcs.ERECT_DOMAIN, mcs.ATTACH_REQUEST, mcs.JOIN_REQUEST, mcs.DISCONNECT})


class _Phase(Enum):
    """How far the client's side of the connection sequence has come."""

    CONNECT = auto()
    JOIN = auto()
    RUNNING = auto()


class Relay:
    """Sits between both TLS connections of one desktop session.

    `client_request`: what the client sent before TLS. `host_protocol`: what the host selected. `username`,
    `password`, `domain`: the host's account, forgotten once sent. `channels`: static virtual channels that may open, in
    lower case. Methods raise ProtocolError when a peer breaks the protocol; the session must end then.
    """

    def __init__(
        self,
        *,
        client_request: ConnectionRequest,
        host_protocol: int = PROTOCOL_SSL,
        username: str,
        password: Secret,
        domain: str,
        channels: frozenset[str],
    ) -> None:
        self._requested_protocols = client_request.requested_protocols
        self._host_protocol = host_protocol
        self._inject: Callable[[ClientInfo], ClientInfo] | None = lambda info: patch_client_info(
            info, username=username, password=password, domain=domain
        )
        self._channels = channels
        self._phase = _Phase.CONNECT
        self._reader = PduReader()
        self._io_channel: int | None = None
        self._desktop: tuple[int, int] | None = None
        self._client_name = ""
        self._input_count = 0
        self._held = bytearray()
        self._needed = 0
        self._passing = 0

    @property
    def established(self) -> bool:
        """The host has been given its credentials."""
        return self._phase is _Phase.RUNNING

    @property
    def desktop(self) -> tuple[int, int] | None:
        """Width and height in pixels: asked for by the client, then as the host set them."""
        return self._desktop

    @property
    def client_name(self) -> str:
        """The client computer's name, as it says."""
        return self._client_name

    @property
    def input_count(self) -> int:
        """Keyboard and mouse events of the client so far."""
        return self._input_count

    def from_client(self, data: bytes) -> Relayed:
        """Takes a piece of the client's stream; PDUs are held back until they are whole."""
        to_host: list[bytes] = []
        record: list[bytes] = []
        for pdu in self._reader.feed(data):
            sent, recordable = self._client_pdu(pdu)
            to_host.append(sent)
            if recordable:
                record.append(sent)
        sent = b"".join(to_host)
        return Relayed(sent, sent if len(record) == len(to_host) else b"".join(record))

    def _client_pdu(self, pdu: bytes) -> tuple[bytes, bool]:
        """The PDU for the host and whether it may be recorded."""
        if pdu[0] != 3:
            if self._phase is not _Phase.RUNNING:
                raise ProtocolError("input before the client has logged on")
            self._input_count += _fast_path_events(pdu)
            return pdu, True
        kind = mcs.choice(pdu)
        if kind == mcs.CONNECT:
            return self._connect_initial(pdu), True
        if self._phase is _Phase.CONNECT:
            raise ProtocolError("the client does not begin with a Connect Initial")
        if kind in _JOINING:
            return pdu, True
        if kind != mcs.SEND_REQUEST:
            raise ProtocolError("the client sends a server's PDU")
        sent = SendData.from_bytes(pdu)
        if self._phase is _Phase.JOIN:
            return self._client_info(sent), False
        if sent.channel != self._io_channel:
            return pdu, True
        return self._client_share(sent, pdu), True

    def _connect_initial(self, pdu: bytes) -> bytes:
        if self._phase is not _Phase.CONNECT:
            raise ProtocolError("a second Connect Initial")
        initial = ConnectInitial.from_bytes(pdu)
        core = find_block(initial.blocks, CS_CORE)
        if core is None:
            raise ProtocolError("the Connect Initial has no core data")
        self._desktop = core.u16(8), core.u16(10)
        self._client_name = client_name(core)
        self._phase = _Phase.JOIN
        return patch_connect_initial(initial, self._channels, self._host_protocol).to_bytes()

    def _client_info(self, sent: SendData) -> bytes:
        """The first data that a client sends is its Client Info; nothing may come before it."""
        if sent.channel != self._io_channel or self._inject is None:
            raise ProtocolError("channel data before the Client Info")
        info = self._inject(ClientInfo.from_payload(sent.payload))
        self._inject = None
        self._phase = _Phase.RUNNING
        return replace(sent, payload=info.to_payload()).to_bytes()

    def _client_share(self, sent: SendData, pdu: bytes) -> bytes:
        """Confirm Active is patched each time it comes, input is counted."""
        payload = sent.payload
        if share.is_license(payload):
            return pdu
        found = parse_share(payload)
        parts = []
        for control in found:
            if control.type == share.CONFIRM_ACTIVE:
                control = self._confirm_active(control)
            elif control.type == share.DATA:
                self._input_count += _slow_path_events(ShareData.from_body(control.body))
            parts.append(control.to_bytes())
        if not any(control.type == share.CONFIRM_ACTIVE for control in found):
            return pdu
        return replace(sent, payload=b"".join(parts)).to_bytes()

    def _confirm_active(self, control: ShareControl) -> ShareControl:
        confirm = ConfirmActive.from_body(control.body)
        self._desktop = desktop_size(confirm.capabilities) or self._desktop
        return replace(control, body=patch_confirm_active(confirm).to_body())

    def from_host(self, data: bytes) -> Relayed:
        """Takes a piece of the host's stream. Screen updates and channel data pass as they come, whole or
        not; other PDUs are held back until they are whole."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return _NOTHING
            data = bytes(self._held)
            self._held.clear()
        parts: list[bytes] = []
        start = position = 0
        end = len(data)
        while position < end:
            if self._passing:
                step = min(self._passing, end - position)
                self._passing -= step
                position += step
                continue
            length = pdu_length(data, position)
            peek = _PEEK if length is None else min(length, _PEEK)
            if length is None or end - position < peek:
                self._needed = peek if length is not None else end - position + 1
                break
            if self._phase is _Phase.RUNNING and self._passes(data, position, length):
                self._passing = length
                continue
            if end - position < length:
                self._needed = length
                break
            pdu = data[position : position + length]
            sent = self._host_pdu(pdu)
            if sent is not pdu:
                parts += (data[start:position], sent)
                start = position + length
            position += length
        self._held += data[position:]
        if not start and position == end:
            return Relayed(data, data)
        parts.append(data[start:position])
        sent = b"".join(parts)
        return Relayed(sent, sent)

    def _passes(self, data: bytes, position: int, length: int) -> bool:
        """Whether a PDU, of which at least 30 bytes or all are there, needs no look inside."""
        if data[position] != 3:
            return True
        if length < _PEEK or data[position + 7] >> 2 != mcs.SEND_INDICATION:
            return False
        if data[position + 10] << 8 | data[position + 11] != self._io_channel:
            return True
        payload = position + (15 if data[position + 13] & 0x80 else 14)
        # A lone update: share control of the payload's whole length, type DATA, share data type UPDATE.
        return (
            data[payload] | data[payload + 1] << 8 == position + length - payload
            and data[payload + 2] & 0xF == share.DATA
            and data[payload + 14] == share.UPDATE
        )

    def _host_pdu(self, pdu: bytes) -> bytes:
        """The PDU for the client: the same object, a patched one, or nothing."""
        if pdu[0] != 3:
            return pdu
        kind = mcs.choice(pdu)
        if kind == mcs.CONNECT:
            if self._io_channel is not None:
                raise ProtocolError("a second Connect Response")
            response = ConnectResponse.from_bytes(pdu)
            net = find_block(response.blocks, SC_NET)
            if net is None:
                raise ProtocolError("the Connect Response has no network data")
            self._io_channel = server_channels(net)[0]
            return patch_connect_response(response, self._requested_protocols).to_bytes()
        if kind != mcs.SEND_INDICATION:
            return pdu
        sent = SendData.from_bytes(pdu)
        if sent.channel != self._io_channel or share.is_license(sent.payload):
            return pdu
        found = parse_share(sent.payload)
        if any(control.type == share.REDIRECTION for control in found):
            raise ProtocolError("the host redirects to another host, past the gateway")
        kept = [control for control in found if not _is_session_info(control)]
        if len(kept) == len(found):
            return pdu
        payload = b"".join(control.to_bytes() for control in kept)
        return replace(sent, payload=payload).to_bytes() if kept else b""


def _fast_path_events(pdu: bytes) -> int:
    """Number of events of a fast-path input PDU (section 2.2.8.1.2)."""
    cursor = Cursor(pdu, 3 if pdu[1] & 0x80 else 2)
    return pdu[0] >> 2 & 0xF or cursor.u8()


def _slow_path_events(data: ShareData) -> int:
    """Number of events of an input PDU (section 2.2.8.1.1.3), 0 for any other."""
    return Cursor(data.data).u16() if data.type == share.INPUT else 0


def _is_session_info(control: ShareControl) -> bool:
    """Save Session Info: the account's real name and a cookie that reconnects without the gateway."""
    return control.type == share.DATA and ShareData.from_body(control.body).type == share.SAVE_SESSION_INFO
