"""The X.224 connection request and confirm: how an RDP connection names its ticket and agrees on TLS.

Sections 2.2.1.1 and 2.2.1.2.
"""

from dataclasses import dataclass
from typing import Self

from lucid.wire.rdp.pdu import Cursor, ProtocolError, tpkt

PROTOCOL_RDP = 0
PROTOCOL_SSL = 1
PROTOCOL_HYBRID = 2

SSL_REQUIRED_BY_SERVER = 1
SSL_NOT_ALLOWED_BY_SERVER = 2
SSL_CERT_NOT_ON_SERVER = 3
INCONSISTENT_FLAGS = 4
HYBRID_REQUIRED_BY_SERVER = 5

EXTENDED_CLIENT_DATA_SUPPORTED = 1

_CORRELATION_INFO_PRESENT = 8
_REQUEST, _CONFIRM = 0xE0, 0xD0
_TYPE_REQUEST, _TYPE_RESPONSE, _TYPE_FAILURE = 1, 2, 3
_TICKET_PREFIXES = ("Cookie: mstshash=", "Cookie: msts=", "lucid=")
_MAX_COOKIE = 238
"""Longest cookie: the X.224 header counts its length in one byte (at most 254), 6 are its own, 2 are CR LF
and 8 are the negotiation request."""


def _negotiation(kind: int, flags: int, value: int) -> bytes:
    return bytes((kind, flags, 8, 0)) + value.to_bytes(4, "little")


def _read_header(pdu: bytes, code: int, what: str) -> Cursor:
    """A cursor on the variable part of a connection request or confirm."""
    cursor = Cursor(pdu)
    cursor.expect(b"\x03", what)
    cursor.take(1)
    if cursor.u16be() != len(pdu) or cursor.u8() != len(pdu) - 5:
        raise ProtocolError(f"length fields of {what} disagree")
    if cursor.u8() & 0xF0 != code:
        raise ProtocolError(f"not {what}")
    cursor.take(5)
    return cursor


def _split_cookie(variable: bytes) -> tuple[bytes, bytes]:
    """Cookie and negotiation request. Some clients send a routing token without the final CR LF."""
    if variable[:1] == bytes((_TYPE_REQUEST,)):
        return b"", variable
    cookie, end, negotiation = variable.partition(b"\r\n")
    if end or len(variable) < 8 or (variable[-8], variable[-6:-4]) != (_TYPE_REQUEST, b"\x08\0"):
        return cookie, negotiation
    return variable[:-8], variable[-8:]


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """What a client asks for. `cookie` is the cookie or routing token without CR LF, at most 238 bytes;
    `flags` leaves out the correlation id, which is not carried on."""

    cookie: bytes
    requested_protocols: int
    flags: int

    @classmethod
    def from_bytes(cls, pdu: bytes) -> Self:
        """Raises ProtocolError unless `pdu` is one connection request."""
        variable = _read_header(pdu, _REQUEST, "a connection request").rest()
        cookie, negotiation = _split_cookie(variable)
        if not negotiation:
            return cls(cookie, PROTOCOL_RDP, 0)
        cursor = Cursor(negotiation)
        cursor.expect(bytes((_TYPE_REQUEST,)), "a negotiation request")
        flags = cursor.u8()
        cursor.expect(b"\x08\0", "a negotiation request")
        return cls(cookie, cursor.u32(), flags & ~_CORRELATION_INFO_PRESENT)

    def to_bytes(self) -> bytes:
        """Raises ProtocolError for a cookie that is too long or holds a line end."""
        if len(self.cookie) > _MAX_COOKIE or b"\r\n" in self.cookie:
            raise ProtocolError("cookie is too long or has a line end")
        variable = self.cookie + b"\r\n" if self.cookie else b""
        variable += _negotiation(_TYPE_REQUEST, self.flags, self.requested_protocols)
        return tpkt(bytes((6 + len(variable), _REQUEST, 0, 0, 0, 0, 0)) + variable)

    @property
    def token(self) -> str | None:
        """The ticket: what follows `Cookie: mstshash=`, `Cookie: msts=` or `lucid=`, else the whole routing
        token; None when there is none or it is not ASCII."""
        if not self.cookie.isascii():
            return None
        text = self.cookie.decode("ascii").strip()
        for prefix in _TICKET_PREFIXES:
            if text.startswith(prefix):
                return text.removeprefix(prefix) or None
        return text or None


@dataclass(frozen=True, slots=True)
class ConnectionConfirm:
    """The server's choice of protocol and what else it supports (flags of section 2.2.1.2.1)."""

    selected_protocol: int
    flags: int

    @classmethod
    def from_bytes(cls, pdu: bytes) -> Self:
        """Raises ProtocolError unless `pdu` is a connection confirm that is no failure."""
        confirm = parse_confirm(pdu)
        if isinstance(confirm, NegotiationFailure):
            raise ProtocolError(f"negotiation failed with code {confirm.code}")
        return cls(confirm.selected_protocol, confirm.flags)

    def to_bytes(self) -> bytes:
        return _confirm(_negotiation(_TYPE_RESPONSE, self.flags, self.selected_protocol))


@dataclass(frozen=True, slots=True)
class NegotiationFailure:
    """The server's refusal; `code` is one of the constants of section 2.2.1.2.2."""

    code: int

    @classmethod
    def from_bytes(cls, pdu: bytes) -> Self:
        """Raises ProtocolError unless `pdu` is a negotiation failure."""
        failure = parse_confirm(pdu)
        if isinstance(failure, ConnectionConfirm):
            raise ProtocolError("not a negotiation failure")
        return cls(failure.code)

    def to_bytes(self) -> bytes:
        return _confirm(_negotiation(_TYPE_FAILURE, 0, self.code))


def _confirm(negotiation: bytes) -> bytes:
    return tpkt(bytes((6 + len(negotiation), _CONFIRM, 0, 0, 0x12, 0x34, 0)) + negotiation)


def parse_confirm(pdu: bytes) -> ConnectionConfirm | NegotiationFailure:
    """The server's answer to a connection request. One without a negotiation part selects standard RDP
    security. Raises ProtocolError for anything else."""
    cursor = _read_header(pdu, _CONFIRM, "a connection confirm")
    if cursor.remaining == 0:
        return ConnectionConfirm(PROTOCOL_RDP, 0)
    kind, flags = cursor.u8(), cursor.u8()
    cursor.expect(b"\x08\0", "a negotiation response")
    value = cursor.u32()
    if kind == _TYPE_RESPONSE:
        return ConnectionConfirm(value, flags)
    if kind == _TYPE_FAILURE:
        return NegotiationFailure(value)
    raise ProtocolError("not a negotiation response")
