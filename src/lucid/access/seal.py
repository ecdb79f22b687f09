"""What of an account is kept secret from whoever reads the store: sealed, or hashed with a key."""

import base64
import hashlib
import hmac
import os
import re

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import Secret
from lucid.crypto import aead

_KEY = re.compile(r"[0-9a-f]{64}")


class AccountSeal:
    """One key of the installation. Whatever is made with it is bound to an account and a purpose: it can neither be
    moved to another account nor be taken for something else."""

    def __init__(self, key: Secret) -> None:
        if not _KEY.fullmatch(key.reveal()):
            raise InvalidInput("account_seal_key: expected 64 hex digits", field="account_seal_key")
        root = bytes.fromhex(key.reveal())
        self._sealing = aead.derive(root, "lucid account seal")
        self._hashing = aead.derive(root, "lucid account hash")

    def seal(self, purpose: str, name: str, secret: Secret) -> str:
        """Nonce and ciphertext in base64. A random 96-bit nonce is safe for 2^32 sealings (NIST SP 800-38D 8.3)."""
        nonce = os.urandom(aead.NONCE_BYTES)
        sealed = aead.seal(self._sealing, nonce, secret.reveal().encode(), _bound(purpose, name))
        return base64.b64encode(nonce + sealed).decode()

    def open(self, purpose: str, name: str, sealed: str) -> Secret:
        """Raises Corrupted when it was not sealed for this with this key."""
        try:
            data = base64.b64decode(sealed, validate=True)
            nonce, ciphertext = data[: aead.NONCE_BYTES], data[aead.NONCE_BYTES :]
            return Secret(aead.open(self._sealing, nonce, ciphertext, _bound(purpose, name)).decode())
        except (ValueError, Corrupted):
            raise Corrupted(f"account {name}: the {purpose} was not sealed with this key") from None

    def hash(self, purpose: str, name: str, text: str) -> str:
        """HMAC-SHA-256 in hex. Without the key, what is short cannot be found by trying."""
        message = _bound(purpose, name) + b"\0" + text.encode("utf-8", "surrogatepass")
        return hmac.new(self._hashing, message, hashlib.sha256).hexdigest()


def _bound(purpose: str, name: str) -> bytes:
    return f"{purpose}\0{name}".encode()
