"""The installation's keys: made at the first start, kept in files of mode 0600 in folders of mode 0700."""

import os
import secrets
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.base.secret import Secret
from lucid.catalog.keys import KEYS, OPERATOR, identity_key
from lucid.catalog.services import SERVICES
from lucid.catalog.types import Key, KeyKind
from lucid.crypto.age import new_identity, recipient_of
from lucid.crypto.jwt import TokenKey, public_jwk, public_of
from lucid.crypto.note import SignerKey

CALLERS = (*(service.name for service in SERVICES), OPERATOR)


def _create(kind: KeyKind) -> Secret:
    match kind:
        case "age-identity":
            return new_identity()
        case "log-key":
            return SignerKey.generate(f"lucid.local/{secrets.token_hex(4)}").format()
        case "aead-key":
            return Secret(secrets.token_hex(32))
        case "token":
            return Secret(secrets.token_urlsafe(32))
        case "identity-key":
            return TokenKey.generate().format()


def _public(kind: KeyKind, secret: Secret) -> str | None:
    match kind:
        case "age-identity":
            return recipient_of(secret)
        case "log-key":
            return SignerKey.parse(secret).verifier.format()
        case "identity-key":
            return str(public_jwk(TokenKey.parse(secret).private.public_key())["x"])
        case _:
            return None


@dataclass(frozen=True)
class _Pair:
    secret: Secret | None
    public: str | None


class Keyring:
    """The keys of one installation. A file holds the key on its last line; lines with # before it explain it.

    The public half stands in a file of its own (`.pub`): once it exists the private file is never made again,
    so an owner may take the private half away.
    """

    def __init__(self, folder: Path, keys: dict[str, _Pair]) -> None:
        self._folder = folder
        self._keys = keys

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the keys, creating those that are missing. Raises Corrupted for a malformed key file, InvalidInput for
        a private one or a folder that others than its owner may use."""
        keys = (*KEYS, *(identity_key(caller) for caller in CALLERS))
        return cls(folder, {key.name: _read_or_create(folder, key) for key in keys})

    def private(self, key: Key) -> Secret:
        """Raises NotFound when the private half was taken away."""
        if (secret := self._keys[key.name].secret) is None:
            raise NotFound(f"{self._folder / key.name} is needed and was taken away; it {key.about}")
        return secret

    def has_private(self, key: Key) -> bool:
        """Whether the private half is there."""
        return self._keys[key.name].secret is not None

    def public(self, key: Key) -> str:
        """An age recipient, or the log's verifier key. Raises LookupError for other kinds."""
        if (public := self._keys[key.name].public) is None:
            raise LookupError(f"a key of kind {key.kind} has no public half")
        return public

    def identity(self, caller: str) -> TokenKey:
        """What `caller`, a service or the operator, signs its calls with. Raises NotFound when it was taken away."""
        return TokenKey.parse(self.private(identity_key(caller)))

    def peers(self) -> dict[str, Ed25519PublicKey]:
        """The public keys of all callers by name."""
        halves = {caller: self.public(identity_key(caller)) for caller in CALLERS}
        return {caller: public_of({"kty": "OKP", "crv": "Ed25519", "x": x}) for caller, x in halves.items()}


def _read_or_create(folder: Path, key: Key) -> _Pair:
    path, public_path = folder / key.name, folder / f"{key.name}.pub"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_mode(path.parent, "700")
    if public_path.exists() and not path.exists():
        return _Pair(None, _one_line(public_path))
    if not path.exists():
        _write_once(path, f"# {key.name}: {key.about}\n{_create(key.kind).reveal()}\n")
    _check_mode(path, "600")
    secret = Secret(_one_line(path))
    public = _public(key.kind, secret)
    if public is not None and not public_path.exists():
        _write_once(public_path, public + "\n")
    return _Pair(secret, public)


def _check_mode(path: Path, wanted: str) -> None:
    """A key that others could read may be known to them: the operator must see it, so it is not mended here."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InvalidInput(
            f"{path}: mode {mode:o} lets others than its owner at private keys; chmod {wanted} {shlex.quote(str(path))}"
        )


def _one_line(path: Path) -> str:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    if len(lines) != 1:
        raise Corrupted(f"{path}: expected one key on a line of its own")
    return lines[0]


def _write_once(path: Path, text: str) -> None:
    """Create the file durably; of two processes that try at once the first wins."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
