"""Credentials at rest: AES-256-GCM with the host as additional data: its name, address, port and pinned certificate.
Whoever can write to the store can so neither move them to another host nor send them to another address."""

import base64
import os
import re

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import REVEAL, Secret
from lucid.crypto import aead
from lucid.model.canonical import canonical_json
from lucid.model.host import Host, HostCredentials

_KEY = re.compile(r"[0-9a-f]{64}")


class CredentialSeal:
    """Seals and opens with one key. A random 96-bit nonce is safe for 2^32 sealings (NIST SP 800-38D 8.3)."""

    def __init__(self, key: Secret) -> None:
        if not _KEY.fullmatch(key.reveal()):
            raise InvalidInput("host_seal_key: expected 64 hex digits", field="host_seal_key")
        self._key = bytes.fromhex(key.reveal())

    def seal(self, host: Host, credentials: HostCredentials) -> str:
        """Nonce and ciphertext in base64."""
        nonce = os.urandom(aead.NONCE_BYTES)
        plaintext = credentials.model_dump_json(context={REVEAL: True}).encode()
        return base64.b64encode(nonce + aead.seal(self._key, nonce, plaintext, _bound(host))).decode()

    def open(self, host: Host, sealed: str) -> HostCredentials:
        """Raises Corrupted when it was not sealed for `host` with this key."""
        try:
            data = base64.b64decode(sealed, validate=True)
        except ValueError:
            data = b""
        if len(data) < aead.NONCE_BYTES + aead.TAG_BYTES:
            raise Corrupted(f"host {host.name}: the stored credentials are cut or no base64")
        nonce, ciphertext = data[: aead.NONCE_BYTES], data[aead.NONCE_BYTES :]
        try:
            plaintext = aead.open(self._key, nonce, ciphertext, _bound(host))
        except Corrupted:
            raise Corrupted(
                f"host {host.name}: the stored credentials were not sealed for what is stored of it"
            ) from None
        return HostCredentials.model_validate_json(plaintext)


def _bound(host: Host) -> bytes:
    return canonical_json(host.model_dump(mode="json"))
