"""C2SP signed notes with Ed25519 keys: a text that carries its signatures (c2sp.org/signed-note)."""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import Secret

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


class NoteError(Corrupted):
    """The note has no signature by the expected key, or one that does not verify."""


def _check_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise InvalidInput("note: a key name is not empty and holds no plus sign, space or control character")
    return name


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _decode(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"{what}: expected base64") from None
    if base64.b64encode(data).decode() != text:
        raise InvalidInput(f"{what}: base64 is not canonical")
    return data


def _parse_key(text: str, what: str) -> tuple[str, bytes, bytes]:
    """(name, key id, 32 key bytes) of `name+id+base64`."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
        raise InvalidInput(f"{what}: expected name+id+base64, the id in 8 hex digits")
    data = _decode(parts[2], what)
    if len(data) != 33 or data[:1] != _ED25519:
        raise InvalidInput(f"{what}: expected an Ed25519 key (the byte 1 and 32 bytes)")
    return _check_name(parts[0]), bytes.fromhex(parts[1]), data[1:]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key; its text form is the C2SP *vkey*."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that announce the key in a signature line."""
        return _key_id(self.name, self.public)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey. Raises InvalidInput."""
        name, key_id, public = _parse_key(text, "verifier key")
        if key_id != _key_id(name, public):
            raise InvalidInput("verifier key: the key id does not belong to name and key")
        return cls(name, public)

    def format(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SignerKey:
    """A named private key; its text form is Go's *skey*, `PRIVATE+KEY+name+id+base64`, a Secret here."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = _check_name(name)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SignerKey({self.name!r})"

    @classmethod
    def generate(cls, name: str) -> Self:
        """A fresh key from the system's randomness."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: Secret) -> Self:
        """Read a skey. Raises InvalidInput, whose detail shows nothing of it."""
        head, _, rest = text.reveal().partition("+KEY+")
        if head != "PRIVATE":
            raise InvalidInput("signer key: does not begin with PRIVATE+KEY+")
        name, key_id, seed = _parse_key(rest, "signer key")
        signer = cls(name, seed)
        if not hmac.compare_digest(key_id, signer.verifier.key_id):
            raise InvalidInput("signer key: the key id does not belong to name and key")
        return signer

    def format(self) -> Secret:
        seed = base64.b64encode(_ED25519 + self._private.private_bytes_raw()).decode()
        return Secret(f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{seed}")

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


def sign(text: str, signer: SignerKey) -> str:
    """The note of `text` with one signature. Raises InvalidInput for a text that no note can hold."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise InvalidInput("note: the text ends in a newline and holds no other control character")
    try:
        message = text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("note: the text is not Unicode") from None
    signature = base64.b64encode(signer.verifier.key_id + signer.sign(message)).decode()
    note = f"{text}\n\u2014 {signer.name} {signature}\n"
    if len(note.encode()) > MAX_NOTE_BYTES:
        raise InvalidInput(f"note: over {MAX_NOTE_BYTES} bytes")
    return note


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note, unverified, and its signatures as (key name, key id and signature).
    Raises InvalidInput for a malformed note."""
    try:
        size = len(note.encode())
    except UnicodeEncodeError:
        raise InvalidInput("note: not UTF-8") from None
    if size > MAX_NOTE_BYTES:
        raise InvalidInput(f"note: over {MAX_NOTE_BYTES} bytes")
    if _CONTROL.search(note):
        raise InvalidInput("note: holds a control character")
    end = note.rfind("\n\n")
    lines = note[end + 2 :].split("\n")
    if end < 0 or len(lines) < 2 or lines.pop() != "":
        raise InvalidInput("note: expected a text, an empty line, and signature lines")
    if len(lines) > MAX_SIGNATURES:
        raise InvalidInput(f"note: over {MAX_SIGNATURES} signatures")
    signatures = []
    for line in lines:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\u2014":
            raise InvalidInput("note: a signature line begins with an em dash and a space")
        data = _decode(encoded, "note signature")
        if len(data) < 5:
            raise InvalidInput("note: a signature is too short")
        signatures.append((_check_name(name), data))
    return note[: end + 1], signatures


def open_note(note: str, verifier: VerifierKey) -> str:
    """The text of a note signed by `verifier`; signatures by other keys are ignored. Raises InvalidInput for a
    malformed note, NoteError when no signature by the key verifies or one of them does not."""
    text, signatures = split_note(note)
    ours = [data[4:] for name, data in signatures if name == verifier.name and data[:4] == verifier.key_id]
    message = text.encode()
    if not ours or not all(verifier.verify(message, signature) for signature in ours):
        raise NoteError(f"no signature by {verifier.name}+{verifier.key_id.hex()} verifies")
    return text
