"""What travels on the I/O channel: Client Info, licensing, share control and share data.

Sections 2.2.1.11, 2.2.1.12 and 2.2.8.1.1.1.
"""

from dataclasses import dataclass, field
from typing import Self

from lucid.base.secret import Secret
from lucid.wire.rdp.pdu import Cursor, ProtocolError

SEC_INFO_PKT = 0x0040
SEC_LICENSE_PKT = 0x0080

INFO_MOUSE, INFO_DISABLECTRLALTDEL, INFO_AUTOLOGON, INFO_UNICODE, INFO_MAXIMIZESHELL = 0x1, 0x2, 0x8, 0x10, 0x20
INFO_COMPRESSION, INFO_COMPRESSION_TYPES, INFO_PASSWORD_IS_SC_PIN = 0x80, 0x1E00, 0x4_0000

DEMAND_ACTIVE, CONFIRM_ACTIVE, DEACTIVATE_ALL, DATA, REDIRECTION = 1, 3, 6, 7, 10

UPDATE, CONTROL, INPUT, SYNCHRONIZE, SAVE_SESSION_INFO = 2, 20, 28, 31, 38
FONT_LIST, FONT_MAP, SET_ERROR_INFO = 39, 40, 47

LICENSE_VALID_CLIENT = bytes.fromhex("80000000ff031000070000000200000004000000")
"""The licensing PDU that says: no licence needed (section 2.2.1.12)."""

LICENSE_NONE = bytes.fromhex("80000000ff031000020000000200000004000000")
"""The client's answer to a licence request: it has none (ERR_NO_LICENSE). xrdp is content with that."""

_LICENSE_MESSAGES = frozenset((0x01, 0x02, 0x03, 0x04, 0x12, 0x13, 0x15, 0xFF))
"""bMsgType of the licensing preamble: requests and answers, challenges, licences, the error alert."""

_VERSION = 0x10


def is_license(payload: bytes) -> bool:
    """Whether a payload of the I/O channel is a licensing PDU, which alone has a security header after the
    Client Info. That header may be taken for a share control header: its flags for a length, and what xrdp
    leaves in the unused upper half for a type. So the licensing preamble behind it decides (section
    2.2.1.12.1.1). Other flags may be set beside: xrdp 0.10 and Windows say that they could encrypt."""
    if len(payload) < 8 or not payload[0] & SEC_LICENSE_PKT:
        return False
    return payload[4] in _LICENSE_MESSAGES and payload[6] | payload[7] << 8 == len(payload) - 4


def _text(data: bytes, unicode: bool) -> str:
    return data.decode("utf-16-le" if unicode else "latin-1", "replace")


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """TS_INFO_PACKET (section 2.2.1.11.1.1). `extra`: the extended info after the strings, kept as it is.
    Holds a password: never record, log or keep it."""

    flags: int
    domain: str
    user: str
    password: Secret
    shell: str = ""
    directory: str = ""
    code_page: int = 0
    extra: bytes = field(default=b"", repr=False)

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """From the payload of the I/O channel, security header included."""
        cursor = Cursor(payload)
        if cursor.u16() & SEC_INFO_PKT == 0:
            raise ProtocolError("not a Client Info PDU")
        cursor.take(2)
        code_page, flags = cursor.u32(), cursor.u32()
        unicode = bool(flags & INFO_UNICODE)
        lengths = [cursor.u16() for _ in range(5)]
        texts = []
        for length in lengths:
            texts.append(_text(cursor.take(length), unicode))
            cursor.take(2 if unicode else 1)
        domain, user, password, shell, directory = texts
        return cls(flags, domain, user, Secret(password), shell, directory, code_page, cursor.rest())

    def to_payload(self) -> bytes:
        """With its security header; strings always in UTF-16. Raises ProtocolError for a string that is
        too long."""
        texts = [
            text.encode("utf-16-le", "surrogatepass")
            for text in (self.domain, self.user, self.password.reveal(), self.shell, self.directory)
        ]
        if any(len(text) > 0x3FFF for text in texts):
            raise ProtocolError("a Client Info string is too long")
        head = SEC_INFO_PKT.to_bytes(4, "little") + self.code_page.to_bytes(4, "little")
        head += (self.flags | INFO_UNICODE).to_bytes(4, "little")
        lengths = b"".join(len(text).to_bytes(2, "little") for text in texts)
        return head + lengths + b"".join(text + b"\0\0" for text in texts) + self.extra


@dataclass(frozen=True, slots=True)
class ShareControl:
    """One share control PDU: its type (DEMAND_ACTIVE ... REDIRECTION), sender and body."""

    type: int
    source: int
    body: bytes

    def to_bytes(self) -> bytes:
        length = len(self.body) + 6
        if length > 0xFFFF:
            raise ProtocolError("share control PDU is too long")
        fields = (length, self.type | _VERSION, self.source)
        return b"".join(value.to_bytes(2, "little") for value in fields) + self.body


def parse_share(payload: bytes) -> list[ShareControl]:
    """The share control PDUs in one payload of the I/O channel; usually one. Flow control PDUs (length
    0x8000) are left out. Raises ProtocolError when the lengths do not add up."""
    cursor = Cursor(payload)
    found = []
    while cursor.remaining:
        length = cursor.u16()
        if length == 0x8000:
            cursor.take(6)
            continue
        if length < 6 and length != 4:
            raise ProtocolError("share control PDU is shorter than its header")
        kind = cursor.u16()
        # Some servers end a Deactivate All PDU before the source.
        source = cursor.u16() if length != 4 else 0
        found.append(ShareControl(kind & 0xF, source, cursor.take(max(0, length - 6))))
    return found


@dataclass(frozen=True, slots=True)
class ShareData:
    """The body of a DATA PDU (section 2.2.8.1.1.1.2): `type` is UPDATE ... SET_ERROR_INFO."""

    share_id: int
    type: int
    data: bytes
    compression: int = 0

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        cursor = Cursor(body)
        share_id = cursor.u32()
        cursor.take(4)  # padding, stream id, uncompressed length
        kind, compression = cursor.u8(), cursor.u8()
        cursor.take(2)
        return cls(share_id, kind, cursor.rest(), compression)

    def to_body(self) -> bytes:
        length = (len(self.data) + 18) & 0xFFFF
        head = self.share_id.to_bytes(4, "little") + b"\0\x01" + length.to_bytes(2, "little")
        return head + bytes((self.type, self.compression, 0, 0)) + self.data
