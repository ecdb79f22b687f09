"""T.125 MCS over X.224 data packets: connecting, joining channels, carrying channel data.

Sections 2.2.1.3 to 2.2.1.9 and 2.2.8.1.1; T.125 for the encodings (BER while connecting, PER after).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from lucid.wire.rdp.gcc import Block, encode_blocks, parse_blocks, per_length, write_per_length
from lucid.wire.rdp.pdu import Cursor, ProtocolError, tpkt

X224_DATA = b"\x02\xf0\x80"
USER_BASE = 1001
"""User ids are sent as their distance from this one."""

ERECT_DOMAIN = 1
DISCONNECT = 8
ATTACH_REQUEST = 10
ATTACH_CONFIRM = 11
JOIN_REQUEST = 14
JOIN_CONFIRM = 15
SEND_REQUEST = 25
SEND_INDICATION = 26
CONNECT = 31
"""What `choice` gives for the Connect Initial and the Connect Response, whose BER tag begins with 0x7F."""

USER_REQUESTED = 3
"""Reason of a Disconnect Provider Ultimatum (rn-user-requested)."""

_TAG_INITIAL, _TAG_RESPONSE = b"\x7f\x65", b"\x7f\x66"
_T124 = b"\x00\x05\x00\x14\x7c\x00\x01"
_REQUEST_HEAD = b"\x00\x08\x00\x10\x00\x01\xc0\x00Duca"
_RESPONSE_HEAD = b"\x14\x76\x0a\x01\x01\x00\x01\xc0\x00McDn"


def _domain(*values: int) -> bytes:
    fields = b"".join(_ber(b"\x02", v.to_bytes((v.bit_length() + 8) // 8, "big")) for v in values)
    return _ber(b"\x30", fields)


def _ber(tag: bytes, content: bytes) -> bytes:
    size = len(content)
    length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return tag + length + content


def _ber_content(cursor: Cursor, tag: bytes, what: str) -> bytes:
    cursor.expect(tag, what)
    length = cursor.u8()
    if length & 0x80:
        length = int.from_bytes(cursor.take(min(length & 0x7F, 4)), "big")
    return cursor.take(length)


def data_packet(body: bytes) -> bytes:
    """`body` in an X.224 data packet (section 2.2.1.3)."""
    return tpkt(X224_DATA + body)


def choice(pdu: bytes) -> int:
    """Which MCS PDU a whole TPKT packet holds: one of the constants above. Raises ProtocolError if it is
    no X.224 data packet."""
    if len(pdu) < 8 or pdu[0] != 3 or pdu[4:7] != X224_DATA:
        raise ProtocolError("not an X.224 data packet")
    return pdu[7] >> 2


def _body(pdu: bytes, kinds: Sequence[int], what: str) -> Cursor:
    if choice(pdu) not in kinds:
        raise ProtocolError(f"not {what}")
    return Cursor(pdu, 8)


def _connect_fields(pdu: bytes, tag: bytes, what: str) -> Cursor:
    """What is inside a Connect Initial or a Connect Response. Raises ProtocolError when it is not `what`."""
    if choice(pdu) != CONNECT:
        raise ProtocolError(f"not {what}")
    return Cursor(_ber_content(Cursor(pdu, 7), tag, what))


def _ber_fields(cursor: Cursor, tags: Sequence[bytes], what: str) -> bytes:
    """The next fields, which must have these tags, as received."""
    start = cursor.position
    for tag in tags:
        _ber_content(cursor, tag, what)
    end, cursor.position = cursor.position, start
    return cursor.take(end - start)


def _conference(cursor: Cursor, what: str) -> Cursor:
    """The T.124 conference in the user data, which comes last."""
    conference = Cursor(_ber_content(cursor, b"\x04", what))
    conference.expect(_T124, "a T.124 conference")
    per_length(conference)
    return conference


def _connect(tag: bytes, domain: bytes, head: bytes, blocks: Sequence[Block]) -> bytes:
    encoded = encode_blocks(blocks)
    create = head + write_per_length(len(encoded)) + encoded
    conference = _T124 + write_per_length(len(create)) + create
    return data_packet(_ber(tag, domain + _ber(b"\x04", conference)))


@dataclass(frozen=True, slots=True)
class ConnectInitial:
    """The client's user data blocks (section 2.2.1.3). `domain`: the BER fields before them, as received."""

    blocks: tuple[Block, ...]
    domain: bytes = (
        b"\x04\x01\x01\x04\x01\x01\x01\x01\xff"
        + _domain(34, 2, 0, 1, 0, 1, 65535, 2)
        + _domain(1, 1, 1, 1, 0, 1, 1056, 2)
        + _domain(65535, 64535, 65535, 1, 0, 1, 65535, 2)
    )

    @classmethod
    def from_bytes(cls, pdu: bytes) -> Self:
        what = "a Connect Initial"
        cursor = _connect_fields(pdu, _TAG_INITIAL, what)
        domain = _ber_fields(cursor, (b"\x04", b"\x04", b"\x01", b"\x30", b"\x30", b"\x30"), what)
        conference = _conference(cursor, what)
        conference.expect(_REQUEST_HEAD, "a conference create request")
        return cls(parse_blocks(conference.take(per_length(conference))), domain)

    def to_bytes(self) -> bytes:
        return _connect(_TAG_INITIAL, self.domain, _REQUEST_HEAD, self.blocks)


@dataclass(frozen=True, slots=True)
class ConnectResponse:
    """The server's user data blocks (section 2.2.1.4). `domain`: the BER fields before them, as received."""

    blocks: tuple[Block, ...]
    domain: bytes = b"\x0a\x01\x00\x02\x01\x00" + _domain(34, 3, 0, 1, 0, 1, 65528, 2)

    @classmethod
    def from_bytes(cls, pdu: bytes) -> Self:
        """Raises ProtocolError also when the server refused."""
        what = "a Connect Response"
        cursor = _connect_fields(pdu, _TAG_RESPONSE, what)
        result = _ber_fields(cursor, (b"\x0a",), what)
        if any(_ber_content(Cursor(result), b"\x0a", what)):
            raise ProtocolError("the host refused the MCS connection")
        domain = result + _ber_fields(cursor, (b"\x02", b"\x30"), what)
        conference = _conference(cursor, what)
        conference.expect(_RESPONSE_HEAD[:1], "a conference create response")
        conference.take(2)  # node id: any
        conference.take(conference.u8())
        conference.expect(_RESPONSE_HEAD[5:], "a conference create response")
        return cls(parse_blocks(conference.take(per_length(conference))), domain)

    def to_bytes(self) -> bytes:
        return _connect(_TAG_RESPONSE, self.domain, _RESPONSE_HEAD, self.blocks)


@dataclass(frozen=True, slots=True)
class SendData:
    """Channel data: a request from the client (`indication` False) or an indication from the server.
    `user`: who sends, as its distance from 1001."""

    user: int
    channel: int
    payload: bytes
    indication: bool = False

    @classmethod
    def from_bytes(cls, pdu: bytes) -> Self:
        cursor = _body(pdu, (SEND_REQUEST, SEND_INDICATION), "channel data")
        user, channel = cursor.u16be(), cursor.u16be()
        cursor.take(1)  # priority and segmentation: one segment, always
        length = per_length(cursor)
        if length != cursor.remaining:
            raise ProtocolError("channel data is cut or too long")
        return cls(user, channel, cursor.rest(), choice(pdu) == SEND_INDICATION)

    def to_bytes(self) -> bytes:
        """Raises ProtocolError above 16383 bytes of payload."""
        kind = SEND_INDICATION if self.indication else SEND_REQUEST
        head = bytes((kind << 2,)) + self.user.to_bytes(2, "big") + self.channel.to_bytes(2, "big") + b"\x70"
        return data_packet(head + write_per_length(len(self.payload)) + self.payload)


def erect_domain() -> bytes:
    """Erect Domain Request (section 2.2.1.5)."""
    return data_packet(b"\x04\x01\x00\x01\x00")


def attach_request() -> bytes:
    """Attach User Request (section 2.2.1.6)."""
    return data_packet(b"\x28")


def attach_confirm(user: int) -> bytes:
    """Attach User Confirm (section 2.2.1.7)."""
    return data_packet(b"\x2e\x00" + user.to_bytes(2, "big"))


def parse_attach_confirm(pdu: bytes) -> int:
    """The user that the server gave. Raises ProtocolError when it refused."""
    cursor = _body(pdu, (ATTACH_CONFIRM,), "an Attach User Confirm")
    if cursor.u8() != 0:
        raise ProtocolError("the server refused to attach the user")
    user = cursor.u16be()
    if user + USER_BASE > 0xFFFF:
        raise ProtocolError("user id is out of range")
    return user


def join_request(user: int, channel: int) -> bytes:
    """Channel Join Request (section 2.2.1.8)."""
    return data_packet(b"\x38" + user.to_bytes(2, "big") + channel.to_bytes(2, "big"))


def join_confirm(user: int, channel: int) -> bytes:
    """Channel Join Confirm (section 2.2.1.9)."""
    ids = user.to_bytes(2, "big") + channel.to_bytes(2, "big")
    return data_packet(b"\x3e\x00" + ids + channel.to_bytes(2, "big"))


def parse_join_request(pdu: bytes) -> tuple[int, int]:
    """User and channel."""
    cursor = _body(pdu, (JOIN_REQUEST,), "a Channel Join Request")
    return cursor.u16be(), cursor.u16be()


def parse_join_confirm(pdu: bytes) -> int:
    """The channel asked for. Raises ProtocolError when the server refused."""
    cursor = _body(pdu, (JOIN_CONFIRM,), "a Channel Join Confirm")
    if cursor.u8() != 0:
        raise ProtocolError("the server refused a channel")
    cursor.take(2)
    return cursor.u16be()


def disconnect(reason: int = USER_REQUESTED) -> bytes:
    """Disconnect Provider Ultimatum (section 2.2.2.3): ends the connection at once."""
    return data_packet(bytes((DISCONNECT << 2 | reason >> 1, (reason & 1) << 7)))
