"""Self-signed TLS certificates and what a server or a pinning client makes of them.

RSA-2048 and not an elliptic curve: every RDP client accepts it.
"""

import hashlib
import ipaddress
import secrets
import ssl
import tempfile
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lucid.base.errors import Corrupted

_LIFETIME = timedelta(days=3650)
_CLOCK_SKEW = timedelta(days=1)


def self_signed(name: str) -> bytes:
    """A fresh key and a certificate of ten years for the DNS name or IP address `name`: PEM, the key first."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + certificate.public_bytes(Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def fingerprint(pem: bytes) -> str:
    """SHA-256 (hex) of the certificate in `pem`. Raises Corrupted when there is none."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise Corrupted("no certificate in the PEM file") from None
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def server_context(pem: bytes) -> ssl.SSLContext:
    """TLS 1.2 or newer with the key and certificate in `pem`. Raises Corrupted when they do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    passphrase = secrets.token_bytes(32)
    try:
        key = load_pem_private_key(pem, None)
        encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
        certificate = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)
        # The ssl module reads files only: the key goes through one under a passphrase that never leaves memory.
        with tempfile.NamedTemporaryFile() as file:
            file.write(encrypted + certificate)
            file.flush()
            context.load_cert_chain(file.name, password=passphrase)
    except (ValueError, ssl.SSLError):
        raise Corrupted("the PEM file holds no key with its certificate") from None
    return context


def pinning_context() -> ssl.SSLContext:
    """TLS 1.2 or newer to a server that the caller recognises by its certificate's fingerprint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
