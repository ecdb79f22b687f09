"""AES-256-GCM sealing (NIST SP 800-38D) and key derivation (HKDF-SHA-256, RFC 5869).

Callers own nonce uniqueness: under one key a nonce is used once (docs/format.md sections 2 and 3 say how).
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lucid.base.errors import Corrupted

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


def new_key() -> bytes:
    """32 random bytes from the operating system."""
    return os.urandom(KEY_BYTES)


def derive(key: bytes, info: str) -> bytes:
    """A 32-byte key out of `key` for the purpose `info`: HKDF-SHA-256 without salt."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info.encode()).derive(key)


def seal(key: bytes, nonce: bytes, plaintext: bytes | memoryview, aad: bytes) -> bytes:
    """Ciphertext and 16-byte tag. `aad` is authenticated, not encrypted."""
    return AESGCM(key).encrypt(nonce, plaintext, aad)


class Sealer:
    """`seal` with one key, for many pieces: the key is expanded once, and what is sealed is put where it belongs."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal_into(self, place: memoryview, nonce: bytes, plaintext: bytes | memoryview, aad: bytes) -> None:
        """Put ciphertext and 16-byte tag into `place`, which is as long as they are."""
        self._cipher.encrypt_into(nonce, plaintext, aad, place)


class Opener:
    """`open` with one key, for many pieces, into memory that is there."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def open_into(self, place: memoryview, nonce: bytes, sealed: memoryview, aad: bytes) -> int:
        """Put the plaintext at the beginning of `place`, which has room for it; returns its length. Raises Corrupted as
        `open` does: what `place` holds then means nothing."""
        length = len(sealed) - TAG_BYTES
        if length < 0:
            raise Corrupted(f"sealed bytes: {len(sealed)}, the tag alone has {TAG_BYTES}")
        try:
            return self._cipher.decrypt_into(nonce, sealed, aad, place[:length])
        except InvalidTag:
            raise Corrupted("sealed bytes do not open with this key") from None


def open(key: bytes, nonce: bytes, sealed: bytes | memoryview, aad: bytes) -> bytes:  # noqa: A001
    """The plaintext. Raises Corrupted when key, nonce, ciphertext, tag and `aad` do not belong together."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Corrupted("sealed bytes do not open with this key") from None
