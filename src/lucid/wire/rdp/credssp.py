"""CredSSP messages: TSRequest and the credentials in it, in DER (MS-CSSP section 2.2).

Only what a client needs to log in with a password; the security package's tokens are opaque here.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from lucid.base.secret import Secret
from lucid.wire.rdp.pdu import Cursor, ProtocolError

VERSION = 6
"""The newest version of MS-CSSP; both sides use the lower of theirs."""

HASHED_BINDING_VERSION = 5
"""From this version on the server's key is bound by a hash with a nonce (section 3.1.5, against CVE-2018-0886)."""

NONCE_BYTES = 32

_SEQUENCE, _INTEGER, _OCTETS, _FIELD = 0x30, 0x02, 0x04, 0xA0
_VERSION, _TOKENS, _AUTH_INFO, _KEY_AUTH, _ERROR, _NONCE = range(6)
_PASSWORD = 1
_TO_SERVER = b"CredSSP Client-To-Server Binding Hash\0"
_TO_CLIENT = b"CredSSP Server-To-Client Binding Hash\0"


@dataclass(frozen=True, slots=True, repr=False)
class TSRequest:
    """One message, either way. Fields that are empty are left out; `error` is an NTSTATUS code, 0 for none."""

    version: int = VERSION
    token: bytes = b""
    auth_info: bytes = b""
    key_auth: bytes = b""
    error: int = 0
    nonce: bytes = b""

    def to_bytes(self) -> bytes:
        fields = [_field(_VERSION, _integer(self.version))]
        if self.token:
            fields.append(_field(_TOKENS, _der(_SEQUENCE, _der(_SEQUENCE, _field(0, _der(_OCTETS, self.token))))))
        for number, value in ((_AUTH_INFO, self.auth_info), (_KEY_AUTH, self.key_auth)):
            if value:
                fields.append(_field(number, _der(_OCTETS, value)))
        if self.error:
            fields.append(_field(_ERROR, _integer(self.error)))
        if self.nonce:
            fields.append(_field(_NONCE, _der(_OCTETS, self.nonce)))
        return _der(_SEQUENCE, b"".join(fields))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ProtocolError unless `data` is one TSRequest."""
        cursor = Cursor(data)
        fields = dict(_fields(_take(cursor, _SEQUENCE)))
        if cursor.remaining:
            raise ProtocolError("bytes behind a TSRequest")
        if _VERSION not in fields:
            raise ProtocolError("a TSRequest without a version")
        return cls(
            version=_number(fields[_VERSION]),
            token=_first_token(fields[_TOKENS]) if _TOKENS in fields else b"",
            auth_info=_octets(fields.get(_AUTH_INFO)),
            key_auth=_octets(fields.get(_KEY_AUTH)),
            error=_number(fields[_ERROR]) & 0xFFFF_FFFF if _ERROR in fields else 0,
            nonce=_octets(fields.get(_NONCE)),
        )


def password_credentials(*, username: str, password: Secret, domain: str) -> bytes:
    """TSCredentials with TSPasswordCreds (sections 2.2.1.2 and 2.2.1.2.1): to be sealed, never to be logged."""
    texts = (domain, username, password.reveal())
    inner = b"".join(_field(number, _der(_OCTETS, text.encode("utf-16-le"))) for number, text in enumerate(texts))
    outer = _field(0, _integer(_PASSWORD)) + _field(1, _der(_OCTETS, _der(_SEQUENCE, inner)))
    return _der(_SEQUENCE, outer)


def key_for_server(version: int, nonce: bytes, public_key: bytes) -> bytes:
    """What the client proves to have seen: the server's key itself, or since version 5 its hash with the nonce."""
    return _binding(_TO_SERVER, nonce, public_key) if version >= HASHED_BINDING_VERSION else public_key


def key_from_server(version: int, nonce: bytes, public_key: bytes) -> bytes:
    """What the server must prove in return: the hash in the other direction, or before version 5 its key plus one."""
    if version >= HASHED_BINDING_VERSION:
        return _binding(_TO_CLIENT, nonce, public_key)
    return bytes(((public_key[0] + 1) & 0xFF,)) + public_key[1:]


def _binding(magic: bytes, nonce: bytes, public_key: bytes) -> bytes:
    return hashlib.sha256(magic + nonce + public_key).digest()


def ts_request_length(data: bytes | bytearray) -> int | None:
    """Length in bytes of the TSRequest at the beginning of `data`, header included; None while that is not known.
    Raises ProtocolError for what is none."""
    if data and data[0] != _SEQUENCE:
        raise ProtocolError("not a TSRequest")
    if len(data) < 2:
        return None
    if data[1] < 0x80:
        return 2 + data[1]
    count = data[1] & 0x7F
    if not 1 <= count <= 3:
        raise ProtocolError("a TSRequest of impossible length")
    return None if len(data) < 2 + count else 2 + count + int.from_bytes(data[2 : 2 + count], "big")


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _field(number: int, content: bytes) -> bytes:
    return _der(_FIELD | number, content)


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _element(cursor: Cursor) -> tuple[int, bytes]:
    tag, length = cursor.u8(), cursor.u8()
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 3:
            raise ProtocolError("a DER length that no TSRequest has")
        length = int.from_bytes(cursor.take(count), "big")
    return tag, cursor.take(length)


def _take(cursor: Cursor, tag: int) -> bytes:
    found, content = _element(cursor)
    if found != tag:
        raise ProtocolError("a TSRequest with another element than expected")
    return content


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a sequence by their context tags."""
    cursor = Cursor(content)
    while cursor.remaining:
        tag, value = _element(cursor)
        if tag & 0xE0 != _FIELD:
            raise ProtocolError("a TSRequest field without a number")
        yield tag & 0x1F, value


def _number(content: bytes) -> int:
    return int.from_bytes(_take(Cursor(content), _INTEGER), "big", signed=True)


def _octets(content: bytes | None) -> bytes:
    return b"" if content is None else _take(Cursor(content), _OCTETS)


def _first_token(content: bytes) -> bytes:
    row = Cursor(_take(Cursor(content), _SEQUENCE))
    for number, value in _fields(_take(row, _SEQUENCE)):
        if number == 0:
            return _octets(value)
    raise ProtocolError("a TSRequest with an empty token")
