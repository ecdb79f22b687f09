"""Credentials at rest: AES-256-GCM with the host's name as additional data, so that they cannot be moved
from one host to another in the store."""

import base64
import os
import re

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import REVEAL, Secret
from lucid.crypto import aead
from lucid.model.host import HostCredentials

_KEY = re.compile(r"[0-9a-f]{64}")


class CredentialSeal:
    """Seals and opens with one key. A random 96-bit nonce is safe for 2^32 sealings (NIST SP 800-38D 8.3)."""

    def __init__(self, key: Secret) -> None:
        if not _KEY.fullmatch(key.reveal()):
            raise InvalidInput("host_seal_key: expected 64 hex digits", field="host_seal_key")
        self._key = bytes.fromhex(key.reveal())

    def seal(self, host: str, credentials: HostCredentials) -> str:
        """Nonce and ciphertext in base64."""
        nonce = os.urandom(aead.NONCE_BYTES)
        plaintext = credentials.model_dump_json(context={REVEAL: True}).encode()
        return base64.b64encode(nonce + aead.seal(self._key, nonce, plaintext, host.encode())).decode()

    def open(self, host: str, sealed: str) -> HostCredentials:
        """Raises Corrupted when it was not sealed for `host` with this key."""
        try:
            data = base64.b64decode(sealed, validate=True)
        except ValueError:
            data = b""
        if len(data) < aead.NONCE_BYTES + aead.TAG_BYTES:
            raise Corrupted(f"host {host}: the stored credentials are cut or no base64")
        nonce, ciphertext = data[: aead.NONCE_BYTES], data[aead.NONCE_BYTES :]
        return HostCredentials.model_validate_json(aead.open(self._key, nonce, ciphertext, host.encode()))
