"""The client's side of an RDP connection, for probes and demonstrations (sections 1.3.1.1 and 3.2)."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Literal

from lucid.base.secret import Secret
from lucid.wire.rdp import mcs, share
from lucid.wire.rdp.capabilities import ConfirmActive, DemandActive, bitmap_capabilities, desktop_size
from lucid.wire.rdp.gcc import (
    CS_SECURITY,
    SC_NET,
    Block,
    Channel,
    channels_block,
    client_core,
    find_block,
    server_channels,
)
from lucid.wire.rdp.mcs import ConnectInitial, ConnectResponse, SendData
from lucid.wire.rdp.pdu import Cursor, PduReader, ProtocolError
from lucid.wire.rdp.share import ClientInfo, ShareControl, ShareData, parse_share
from lucid.wire.rdp.updates import Update, UpdateReader
from lucid.wire.rdp.x224 import PROTOCOL_SSL, ConnectionRequest, NegotiationFailure, parse_confirm

_INFO_FLAGS = (
    share.INFO_MOUSE
    | share.INFO_DISABLECTRLALTDEL
    | share.INFO_AUTOLOGON
    | share.INFO_UNICODE
    | share.INFO_MAXIMIZESHELL  # xrdp takes an info packet without it for a wrongly decrypted one
)
_LICENSE_ALERT = b"\xff"
_RELEASE, _EXTENDED = 0x01, 0x02
_KEY, _MOUSE, _UNICODE = 0, 1, 4
_CONTROL_KEYS = {"\n": 0x1C, "\t": 0x0F}
"""Set 1 scancodes of Enter and Tab: hosts know no Unicode event for what is a key and no character."""
_MOVE, _DOWN = 0x0800, 0x8000
Button = Literal["left", "right", "middle"]
_BUTTONS: dict[Button, int] = {"left": 0x1000, "right": 0x2000, "middle": 0x4000}


class ClientState(Enum):
    """Where the connection stands. SECURE: the caller does the TLS handshake, then calls `secured()`."""

    NEGOTIATE = auto()
    SECURE = auto()
    CONNECT = auto()
    ATTACH = auto()
    JOIN = auto()
    LICENSE = auto()
    DEMAND = auto()
    FINALIZE = auto()
    ACTIVE = auto()
    CLOSED = auto()


class ClientHandshake:
    """Plays the client without I/O: `start()`, feed the answer to `receive()`, do TLS, `secured()`, then
    feed `receive()` and send what it returns. `token` is sent as routing token.

    Draws nothing itself: `take_updates()` gives what the server drew since the last call.
    """

    def __init__(
        self,
        *,
        username: str,
        password: Secret,
        domain: str = "",
        token: str | None = None,
        width: int = 1280,
        height: int = 720,
        client_name: str = "lucid",
        channels: Sequence[str] = (),
    ) -> None:
        self._info = ClientInfo(_INFO_FLAGS, domain, username, password, extra=_extended_info())
        self._token = token
        self._size = width, height
        self._client_name = client_name
        self._channel_names = tuple(channels)
        self._reader = PduReader()
        self._updates = UpdateReader()
        self._drawn: list[Update] = []
        self._state = ClientState.NEGOTIATE
        self._user = 0
        self._share_id = 0
        self._io_channel = 0
        self._to_join: list[int] = []
        self._error = 0

    @property
    def state(self) -> ClientState:
        return self._state

    @property
    def active(self) -> bool:
        """The desktop is shown and takes input."""
        return self._state is ClientState.ACTIVE

    @property
    def error_info(self) -> int:
        """The server's last reason for disconnecting (section 2.2.5.1.1), 0 for none."""
        return self._error

    @property
    def desktop(self) -> tuple[int, int]:
        """Width and height in pixels as the server set them."""
        return self._size

    def take_updates(self) -> list[Update]:
        """What the server drew since the last call."""
        drawn, self._drawn = self._drawn, []
        return drawn

    def start(self) -> bytes:
        """The connection request."""
        cookie = b"" if self._token is None else f"lucid={self._token}".encode()
        return ConnectionRequest(cookie, PROTOCOL_SSL, 0).to_bytes()

    def secured(self) -> bytes:
        """To be called once TLS is up; gives the Connect Initial."""
        if self._state is not ClientState.SECURE:
            raise ProtocolError("TLS came before the server agreed on it")
        self._state = ClientState.CONNECT
        width, height = self._size
        blocks = [
            client_core(width=width, height=height, name=self._client_name, protocol=PROTOCOL_SSL),
            Block(CS_SECURITY, bytes(8)),
        ]
        if self._channel_names:
            blocks.append(channels_block([Channel(name, 0xC000_0000) for name in self._channel_names]))
        return ConnectInitial(tuple(blocks)).to_bytes()

    def receive(self, data: bytes) -> bytes:
        """Takes a piece of the server's stream, gives what to send. Raises ProtocolError."""
        return b"".join(self._receive(pdu) for pdu in self._reader.feed(data))

    def _receive(self, pdu: bytes) -> bytes:
        if self._state is ClientState.CLOSED:
            return b""
        if self._state is ClientState.NEGOTIATE:
            return self._confirm(pdu)
        self._drawn += self._updates.read(pdu)
        if pdu[0] != 3:
            return b""
        kind = mcs.choice(pdu)
        if kind == mcs.DISCONNECT:
            self._state = ClientState.CLOSED
            return b""
        match self._state:
            case ClientState.CONNECT:
                return self._connect_response(ConnectResponse.from_bytes(pdu))
            case ClientState.ATTACH:
                self._user = mcs.parse_attach_confirm(pdu)
                self._to_join.insert(0, self._user + mcs.USER_BASE)
                self._state = ClientState.JOIN
                return mcs.join_request(self._user, self._to_join[0])
            case ClientState.JOIN:
                return self._joined(mcs.parse_join_confirm(pdu))
        sent = SendData.from_bytes(pdu)
        return self._io_data(sent.payload) if sent.channel == self._io_channel else b""

    def _confirm(self, pdu: bytes) -> bytes:
        confirm = parse_confirm(pdu)
        if isinstance(confirm, NegotiationFailure):
            raise ProtocolError(f"the server refused with negotiation failure {confirm.code}")
        if confirm.selected_protocol != PROTOCOL_SSL:
            raise ProtocolError("the server does not offer TLS")
        self._state = ClientState.SECURE
        return b""

    def _connect_response(self, response: ConnectResponse) -> bytes:
        net = find_block(response.blocks, SC_NET)
        if net is None:
            raise ProtocolError("the Connect Response has no network data")
        self._io_channel, channels = server_channels(net)
        self._to_join = [self._io_channel, *channels]
        self._state = ClientState.ATTACH
        return mcs.erect_domain() + mcs.attach_request()

    def _joined(self, channel: int) -> bytes:
        if channel != self._to_join.pop(0):
            raise ProtocolError("the server joined another channel than the one asked for")
        if self._to_join:
            return mcs.join_request(self._user, self._to_join[0])
        self._state = ClientState.LICENSE
        return self._send(self._info.to_payload())

    def _io_data(self, payload: bytes) -> bytes:
        if self._state is ClientState.LICENSE and share.is_license(payload):
            if payload[4:5] != _LICENSE_ALERT:
                return self._send(share.LICENSE_NONE)
            self._state = ClientState.DEMAND
            return b""
        return b"".join(self._share(control) for control in parse_share(payload))

    def _share(self, control: ShareControl) -> bytes:
        if control.type == share.DEMAND_ACTIVE:
            return self._demand_active(DemandActive.from_body(control.body))
        if control.type == share.DEACTIVATE_ALL:
            self._state = ClientState.DEMAND
        elif control.type == share.DATA:
            data = ShareData.from_body(control.body)
            if data.type == share.FONT_MAP and self._state is ClientState.FINALIZE:
                self._state = ClientState.ACTIVE
            elif data.type == share.SET_ERROR_INFO:
                self._error = Cursor(data.data).u32()
        return b""

    def _demand_active(self, demand: DemandActive) -> bytes:
        self._size = desktop_size(demand.capabilities) or self._size
        self._share_id = demand.share_id
        self._state = ClientState.FINALIZE
        confirm = ConfirmActive(demand.share_id, bitmap_capabilities(*self._size))
        return self._send(self._control(share.CONFIRM_ACTIVE, confirm.to_body())) + b"".join(
            self._send(self._control(share.DATA, ShareData(self._share_id, kind, data).to_body()))
            for kind, data in (
                (share.SYNCHRONIZE, b"\x01\0\xea\x03"),
                (share.CONTROL, b"\x04\0" + bytes(6)),  # cooperate
                (share.CONTROL, b"\x01\0" + bytes(6)),  # request control
                (share.FONT_LIST, b"\0\0\0\0\x03\0\x32\0"),
            )
        )

    def _control(self, kind: int, body: bytes) -> bytes:
        return ShareControl(kind, self._user + mcs.USER_BASE, body).to_bytes()

    def _send(self, payload: bytes) -> bytes:
        return SendData(self._user, self._io_channel, payload).to_bytes()

    def key(self, scancode: int, *, down: bool, extended: bool = False) -> bytes:
        """Press or release the key with this set 1 scancode (section 2.2.8.1.2.2.1)."""
        flags = (0 if down else _RELEASE) | (_EXTENDED if extended else 0)
        return _fast_path_input(bytes((_KEY << 5 | flags, scancode & 0x7F)))

    def text(self, text: str) -> bytes:
        """Type `text` regardless of the keyboard layout (section 2.2.8.1.2.2.2); a newline is the Enter key."""
        return b"".join(self._character(character) for character in text)

    def _character(self, character: str) -> bytes:
        if (scancode := _CONTROL_KEYS.get(character)) is not None:
            return self.key(scancode, down=True) + self.key(scancode, down=False)
        units = character.encode("utf-16-le", "surrogatepass")
        pairs = [units[i : i + 2] for i in range(0, len(units), 2)]
        return b"".join(
            _fast_path_input(bytes((_UNICODE << 5 | flags,)) + pair) for pair in pairs for flags in (0, _RELEASE)
        )

    def mouse(self, x: int, y: int, *, button: Button | None = None, down: bool = False) -> bytes:
        """Move the pointer to `x`, `y`; with `button` press or release it there."""
        flags = _MOVE if button is None else _BUTTONS[button] | (_DOWN if down else 0)
        fields = (flags, x, y)
        return _fast_path_input(bytes((_MOUSE << 5,)) + b"".join(value.to_bytes(2, "little") for value in fields))

    def disconnect(self) -> bytes:
        """Ends the connection; the desktop session on the host stays."""
        self._state = ClientState.CLOSED
        return mcs.disconnect()


def _fast_path_input(event: bytes) -> bytes:
    return bytes((1 << 2, len(event) + 2)) + event


def _extended_info() -> bytes:
    """TS_EXTENDED_INFO_PACKET (section 2.2.1.11.1.1.1): IPv4 without address, no zone, all effects off."""
    address = b"\x02\0\x02\0\0\0\x02\0\0\0"
    effects = 0x01 | 0x02 | 0x04 | 0x08 | 0x20
    return address + bytes(172) + bytes(4) + effects.to_bytes(4, "little") + bytes(2)
