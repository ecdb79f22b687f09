"""The installation's keys: made at the first start, kept in files of mode 0600 in folders of mode 0700. A container
has but those that its service needs, mounted as secrets."""

import os
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
from lucid.catalog.types import Key
from lucid.crypto.jwt import TokenKey, public_of
from lucid.crypto.keymaking import make_key, public_half
from lucid.runtime.paths import DataDir
from lucid.runtime.settings import RuntimeSettings

CALLERS = (*(service.name for service in SERVICES), OPERATOR)


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
        return cls(folder, {key.name: _read_or_create(folder, key) for key in all_keys()})

    @classmethod
    def mounted(cls, folder: Path, public: Path) -> Self:
        """Read the private halves that are in `folder`, and the public ones in `public`; nothing is made. Raises
        Corrupted for a malformed key file, InvalidInput for one that others than its owner may read, or this process
        may not."""
        try:
            pairs = {key.name: _read(folder / key.name, public / f"{key.name}.pub") for key in all_keys()}
        except OSError as error:
            raise InvalidInput(f"{error.filename}: {error.strerror}") from None
        return cls(folder, pairs)

    def private(self, key: Key) -> Secret:
        """Raises NotFound when the private half is not here."""
        if (secret := self._keys[key.name].secret) is None:
            raise NotFound(f"{self._folder / key.name} is needed and is not there; it {key.about}")
        return secret

    def has_private(self, key: Key) -> bool:
        """Whether the private half is there."""
        return self._keys[key.name].secret is not None

    def public(self, key: Key) -> str:
        """An age recipient, or the log's verifier key. Raises LookupError for other kinds, and when it is not here."""
        if (public := self._keys[key.name].public) is None:
            raise LookupError(f"there is no public half of {key.name}, a key of kind {key.kind}")
        return public

    def identity(self, caller: str) -> TokenKey:
        """What `caller`, a service or the operator, signs its calls with. Raises NotFound when it was taken away."""
        return TokenKey.parse(self.private(identity_key(caller)))

    def peers(self) -> dict[str, Ed25519PublicKey]:
        """The public keys of all callers by name, of those that are here."""
        halves = {caller: self._keys[identity_key(caller).name].public for caller in CALLERS}
        return {caller: public_of({"kty": "OKP", "crv": "Ed25519", "x": x}) for caller, x in halves.items() if x}


def all_keys() -> tuple[Key, ...]:
    """Every key of an installation, with the identities of all that call."""
    return (*KEYS, *(identity_key(caller) for caller in CALLERS))


def open_keyring(settings: RuntimeSettings, data: DataDir) -> Keyring:
    """The keys that the settings name, or those of the data folder, made at the first start."""
    if settings.keys_dir is None:
        return Keyring.open(data.keys)
    return Keyring.mounted(settings.keys_dir, settings.public_keys_dir or settings.keys_dir)


def _read(path: Path, public_path: Path) -> _Pair:
    public = _one_line(public_path) if public_path.exists() else None
    # A container engine mounts no file that is not there: what was taken away is an empty one.
    if not path.exists() or path.stat().st_size == 0:
        return _Pair(None, public)
    _check_mode(path, "400")
    return _Pair(Secret(_one_line(path)), public)


def _read_or_create(folder: Path, key: Key) -> _Pair:
    path, public_path = folder / key.name, folder / f"{key.name}.pub"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_mode(path.parent, "700")
    if public_path.exists() and not path.exists():
        return _Pair(None, _one_line(public_path))
    if not path.exists():
        _write_once(path, f"# {key.name}: {key.about}\n{make_key(key.kind).reveal()}\n")
    _check_mode(path, "600")
    secret = Secret(_one_line(path))
    public = public_half(key.kind, secret)
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
