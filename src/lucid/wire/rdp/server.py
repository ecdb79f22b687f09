"""The server's side of an RDP connection, for playback and tests (sections 1.3.1.1 and 3.3)."""

from enum import Enum, auto

from lucid.wire.rdp import mcs, share
from lucid.wire.rdp.capabilities import ConfirmActive, DemandActive, bitmap_capabilities
from lucid.wire.rdp.gcc import CS_CORE, CS_NET, client_name, find_block, parse_channels, server_blocks
from lucid.wire.rdp.mcs import ConnectInitial, SendData
from lucid.wire.rdp.pdu import PduReader, ProtocolError
from lucid.wire.rdp.share import ClientInfo, ShareControl, ShareData, parse_share
from lucid.wire.rdp.updates import DEFAULT_IO_CHANNEL, BitmapUpdate, fast_path_update
from lucid.wire.rdp.x224 import (
    PROTOCOL_SSL,
    SSL_REQUIRED_BY_SERVER,
    ConnectionConfirm,
    ConnectionRequest,
    NegotiationFailure,
)

_SHARE_ID = 0x0001_03EA
_USER = 3
"""The client's user id, as its distance from 1001."""


class ServerState(Enum):
    """Where the connection stands. SECURE: the confirm is sent, the caller does the TLS handshake and goes
    on feeding `receive()`; REFUSED: close once what `receive()` gave is sent."""

    NEGOTIATE = auto()
    SECURE = auto()
    JOIN = auto()
    CONFIRM = auto()
    FINALIZE = auto()
    ACTIVE = auto()
    REFUSED = auto()
    CLOSED = auto()


class ServerHandshake:
    """Plays the server without I/O. Feed `receive()` and send what it returns, until `active`; then send
    updates: `update()` or raw PDUs of a recording. `width`, `height`: the desktop's pixels, by default what
    the client asks for."""

    def __init__(self, *, width: int | None = None, height: int | None = None) -> None:
        self._fixed = (width, height) if width is not None and height is not None else None
        self._size = self._fixed or (0, 0)
        self._reader = PduReader()
        self._state = ServerState.NEGOTIATE
        self._request: ConnectionRequest | None = None
        self._info: ClientInfo | None = None
        self._confirm: ConfirmActive | None = None
        self._channels: tuple[str, ...] = ()
        self._client_name = ""
        self._input: list[bytes] = []

    @property
    def state(self) -> ServerState:
        return self._state

    @property
    def active(self) -> bool:
        """The client shows what it is sent."""
        return self._state is ServerState.ACTIVE

    @property
    def request(self) -> ConnectionRequest | None:
        """What the client asked for before TLS."""
        return self._request

    @property
    def client_info(self) -> ClientInfo | None:
        """The credentials that the client gave."""
        return self._info

    @property
    def confirm(self) -> ConfirmActive | None:
        """The client's last capabilities."""
        return self._confirm

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the static virtual channels that the client asked for."""
        return self._channels

    @property
    def client_name(self) -> str:
        return self._client_name

    @property
    def desktop(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._size

    def take_input(self) -> list[bytes]:
        """The client's fast-path input PDUs since the last call."""
        taken, self._input = self._input, []
        return taken

    def receive(self, data: bytes) -> bytes:
        """Takes a piece of the client's stream, gives what to send. Raises ProtocolError."""
        return b"".join(self._receive(pdu) for pdu in self._reader.feed(data))

    def _receive(self, pdu: bytes) -> bytes:
        if self._state is ServerState.NEGOTIATE:
            return self._connection_request(ConnectionRequest.from_bytes(pdu))
        if self._state in (ServerState.CLOSED, ServerState.REFUSED):
            return b""
        if pdu[0] != 3:
            self._input.append(pdu)
            return b""
        kind = mcs.choice(pdu)
        if self._state is ServerState.SECURE:
            return self._connect_initial(ConnectInitial.from_bytes(pdu))
        if kind == mcs.DISCONNECT:
            self._state = ServerState.CLOSED
            return b""
        if kind == mcs.ATTACH_REQUEST:
            return mcs.attach_confirm(_USER)
        if kind == mcs.JOIN_REQUEST:
            return mcs.join_confirm(*mcs.parse_join_request(pdu))
        if kind != mcs.SEND_REQUEST:
            return b""
        sent = SendData.from_bytes(pdu)
        return self._io_data(sent.payload) if sent.channel == DEFAULT_IO_CHANNEL else b""

    def _connection_request(self, request: ConnectionRequest) -> bytes:
        self._request = request
        if not request.requested_protocols & PROTOCOL_SSL:
            self._state = ServerState.REFUSED
            return NegotiationFailure(SSL_REQUIRED_BY_SERVER).to_bytes()
        self._state = ServerState.SECURE
        return ConnectionConfirm(PROTOCOL_SSL, 0).to_bytes()

    def _connect_initial(self, initial: ConnectInitial) -> bytes:
        core = find_block(initial.blocks, CS_CORE)
        if core is None or self._request is None:
            raise ProtocolError("the Connect Initial has no core data")
        self._client_name = client_name(core)
        self._size = self._fixed or (core.u16(8), core.u16(10))
        net = find_block(initial.blocks, CS_NET)
        self._channels = tuple(channel.name for channel in parse_channels(net)) if net else ()
        self._state = ServerState.JOIN
        blocks = server_blocks(
            protocols=self._request.requested_protocols,
            io_channel=DEFAULT_IO_CHANNEL,
            channels=len(self._channels),
        )
        return mcs.ConnectResponse(blocks).to_bytes()

    def _io_data(self, payload: bytes) -> bytes:
        if self._state is ServerState.JOIN:
            self._info = ClientInfo.from_payload(payload)
            return self._send(share.LICENSE_VALID_CLIENT) + self._demand_active()
        return b"".join(self._share(control) for control in parse_share(payload))

    def _share(self, control: ShareControl) -> bytes:
        if control.type == share.CONFIRM_ACTIVE:
            if self._state is not ServerState.CONFIRM:
                raise ProtocolError("a Confirm Active that was not demanded")
            self._confirm = ConfirmActive.from_body(control.body)
            self._state = ServerState.FINALIZE
            return self._data(share.SYNCHRONIZE, b"\x01\0\xea\x03") + self._data(share.CONTROL, b"\x04\0" + bytes(6))
        if control.type != share.DATA or self._state is not ServerState.FINALIZE:
            return b""
        data = ShareData.from_body(control.body)
        if data.type == share.CONTROL and data.data[:2] == b"\x01\0":
            granted = b"\x02\0" + (_USER + mcs.USER_BASE).to_bytes(2, "little") + b"\xea\x03\0\0"
            return self._data(share.CONTROL, granted)
        if data.type == share.FONT_LIST:
            self._state = ServerState.ACTIVE
            return self._data(share.FONT_MAP, b"\0\0\0\0\x03\0\x04\0")
        return b""

    def _demand_active(self) -> bytes:
        self._state = ServerState.CONFIRM
        demand = DemandActive(_SHARE_ID, bitmap_capabilities(*self._size))
        return self._send(ShareControl(share.DEMAND_ACTIVE, DEFAULT_IO_CHANNEL, demand.to_body()).to_bytes())

    def _data(self, kind: int, data: bytes) -> bytes:
        body = ShareData(_SHARE_ID, kind, data).to_body()
        return self._send(ShareControl(share.DATA, DEFAULT_IO_CHANNEL, body).to_bytes())

    def _send(self, payload: bytes) -> bytes:
        return SendData(1, DEFAULT_IO_CHANNEL, payload, indication=True).to_bytes()

    def update(self, update: BitmapUpdate) -> bytes:
        """`update` as a PDU for the client. Raises ProtocolError before `active` or when it does not fit."""
        if not self.active:
            raise ProtocolError("the client is not ready for updates")
        return fast_path_update(update)

    def resize(self, width: int, height: int) -> bytes:
        """Deactivates the client and demands the new size; `active` again once it has confirmed."""
        self._size = width, height
        body = _SHARE_ID.to_bytes(4, "little") + b"\x01\0\0"
        deactivate = ShareControl(share.DEACTIVATE_ALL, DEFAULT_IO_CHANNEL, body)
        return self._send(deactivate.to_bytes()) + self._demand_active()

    def disconnect(self) -> bytes:
        """Ends the connection."""
        self._state = ServerState.CLOSED
        return mcs.disconnect()
