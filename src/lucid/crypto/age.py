"""Data keys wrapped to people: age v1 files with X25519 recipients (C2SP `age`), as base64."""

import base64
import binascii

import pyrage
from pyrage import x25519

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import Secret


def new_identity() -> Secret:
    """A fresh identity: `AGE-SECRET-KEY-1…`."""
    return Secret(str(x25519.Identity.generate()))


def recipient_of(identity: Secret) -> str:
    """The recipient (`age1…`) whose files `identity` opens. Raises InvalidInput for another kind of text."""
    return str(_identity(identity).to_public())


def encrypt(data: bytes, recipient: str) -> bytes:
    """`data` as an age file to `recipient`, as the `age` program writes and reads it. Raises InvalidInput when that is
    no recipient."""
    try:
        to = x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise InvalidInput("recipient: expected an age X25519 recipient (age1…)") from None
    encrypted: bytes = pyrage.encrypt(data, [to])
    return encrypted


def decrypt(encrypted: bytes, identity: Secret) -> bytes:
    """What `encrypt` was given. Raises Corrupted when it does not open with `identity`, InvalidInput when `identity` is
    none."""
    opener = _identity(identity)
    try:
        plaintext: bytes = pyrage.decrypt(encrypted, [opener])
    except pyrage.DecryptError:
        raise Corrupted("it does not open with this identity, or was altered") from None
    return plaintext


def wrap(data: bytes, recipient: str) -> str:
    """`data` as an age file to `recipient`, in base64. Raises InvalidInput when that is no recipient."""
    return base64.b64encode(encrypt(data, recipient)).decode()


def unwrap(wrapped: str, identity: Secret) -> bytes:
    """What `wrap` was given. Raises Corrupted when it does not open with `identity`, InvalidInput when
    `identity` is none."""
    try:
        return decrypt(base64.b64decode(wrapped, validate=True), identity)
    except (binascii.Error, ValueError, Corrupted):
        raise Corrupted("wrapped key does not open with this identity") from None


def _identity(identity: Secret) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(identity.reveal())
    except pyrage.IdentityError:
        raise InvalidInput("identity: expected an age X25519 identity (AGE-SECRET-KEY-1…)") from None
