"""Network Level Authentication: logging in to a host before RDP begins, as CredSSP's client (MS-CSSP section 3.1.5).

The security package is NTLM, which every host with NLA takes unless a domain forbids it. The password travels sealed
in the end, bound to the host's TLS key: nobody in between can use it.
"""

import os
import struct

import spnego
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from spnego.exceptions import SpnegoError

from lucid.model.host import HostCredentials
from lucid.services.rdp_controller.peer import Peer
from lucid.services.rdp_controller.refusal import Reason, Refused
from lucid.wire.rdp.credssp import (
    NONCE_BYTES,
    VERSION,
    TSRequest,
    key_for_server,
    key_from_server,
    password_credentials,
    ts_request_length,
)

_MAX_BYTES = 16 * 1024
_OLDEST = 2
_LOGON_FAILURES = {
    0xC000006D: "the account or its password is wrong",
    0xC000006E: "the account is restricted",
    0xC0000071: "the password has expired",
    0xC0000072: "the account is disabled",
    0xC0000193: "the account has expired",
    0xC0000224: "the password must be changed first",
    0xC0000234: "the account is locked",
}
"""NTSTATUS codes (MS-ERREF section 2.3.1) that a host answers a login with."""

_MALFORMED = (ValueError, IndexError, KeyError, struct.error)
"""What pyspnego raises, besides its own errors, for messages that are no NTLM."""


async def log_in(peer: Peer, credentials: HostCredentials, *, host: str) -> None:
    """Log in to the host at the other end of `peer`, which stands in TLS. Raises Refused when the host does not let
    the account in or is not the one whose key TLS showed, ProtocolError, ConnectionError."""
    account = f"{credentials.domain}\\{credentials.username}" if credentials.domain else credentials.username
    context = spnego.client(account, credentials.password.reveal(), hostname=host, service="TERMSRV", protocol="ntlm")
    public_key = _subject_public_key(peer.certificate())
    nonce = os.urandom(NONCE_BYTES)
    try:
        peer.write(TSRequest(token=context.step() or b"").to_bytes())
        challenge = await _answer(peer)
        version = min(VERSION, challenge.version)
        if version < _OLDEST:
            raise Refused(Reason.HOST_LOGIN, f"the host speaks CredSSP version {challenge.version}, too old")
        peer.write(
            TSRequest(
                token=context.step(challenge.token) or b"",
                key_auth=context.wrap(key_for_server(version, nonce, public_key)).data,
                nonce=nonce if version >= 5 else b"",
            ).to_bytes()
        )
        proof = await _answer(peer)
        if context.unwrap(proof.key_auth).data != key_from_server(version, nonce, public_key):
            raise Refused(Reason.HOST_CERTIFICATE, "the host that logs us in has another key than TLS showed")
        secret = password_credentials(
            username=credentials.username, password=credentials.password, domain=credentials.domain
        )
        peer.write(TSRequest(auth_info=context.wrap(secret).data).to_bytes())
    except SpnegoError as error:
        raise Refused(Reason.HOST_LOGIN, f"NTLM: {error.message}") from None
    except _MALFORMED:
        raise Refused(Reason.HOST_LOGIN, "NTLM: the host's message is malformed") from None


async def _answer(peer: Peer) -> TSRequest:
    try:
        answer = TSRequest.from_bytes(await peer.read_unit(ts_request_length, limit=_MAX_BYTES))
    except ConnectionError:
        raise Refused(Reason.HOST_LOGIN, "the host ends the login; is the account's password right?") from None
    if answer.error:
        why = _LOGON_FAILURES.get(answer.error, "it gives no reason that is known")
        raise Refused(Reason.HOST_LOGIN, f"the host refuses the login (0x{answer.error:08X}): {why}")
    return answer


def _subject_public_key(certificate: bytes) -> bytes:
    """The bits of SubjectPublicKey (RFC 5280 section 4.1.2.7), which CredSSP binds to."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # SEQUENCE { algorithm, BIT STRING }: the string is what follows the algorithm, without its count of unused bits.
    position = _content(info, 0)
    position = _content(info, position) + _length(info, position)
    return info[_content(info, position) + 1 :]


def _content(der: bytes, at: int) -> int:
    """Where the content of the element at `at` begins."""
    return at + 2 + (der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0)


def _length(der: bytes, at: int) -> int:
    first = der[at + 1]
    return int.from_bytes(der[at + 2 : at + 2 + (first & 0x7F)], "big") if first & 0x80 else first
