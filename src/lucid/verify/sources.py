"""Where chunks and logs are read from, and the folders and files on disk that are the usual place.

All other modules of this package are rules without I/O. What cannot be read at all is InvalidInput.
"""

import os
import re
import shlex
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from lucid.base.clock import format_time
from lucid.base.errors import InvalidInput
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.crypto.note import VerifierKey

_LONGEST_PATH = 1_000
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)
MAX_TEXT_BYTES = 1_000_000
MAX_BUNDLE_BYTES = 64 * 1024 * 1024
"""A session of a month. What a reader takes to understand a forged file is about twenty times its size."""
MAX_SHARES_BYTES = 16 * 1024 * 1024


class ChunkSource(Protocol):
    """The chunk files of one recording."""

    def names(self) -> Iterator[str]:
        """Every name in the folder, files or not, in any order."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a chunk file; None when there is no such file."""
        ...

    def read(self, name: str, limit: int) -> bytes | None:
        """The first `limit` bytes of a chunk file; None when there is no such file."""
        ...


class LogSource(Protocol):
    """A copy of the log."""

    def read(self, path: str, limit: int) -> bytes | None:
        """The file at a path of docs/format.md section 6, cut after `limit` + 1 bytes; None when there is none."""
        ...

    def widths(self, path: str) -> list[int]:
        """The widths of the partial tiles under `path` (`tile/…/NNN.p`), ascending."""
        ...


def _status(path: Path, follow: bool = True) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise InvalidInput("a path holds a zero byte") from None


def _size(path: Path, follow: bool = True) -> int | None:
    status = _status(path, follow)
    return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None


def _read(path: Path, limit: int, follow: bool = True) -> bytes | None:
    if _size(path, follow) is None:
        return None
    try:
        file: BinaryIO
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None


def _folder(path: Path, what: str) -> Path:
    status = _status(path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"{what}: expected a folder: {path}")
    return path


class FolderChunks:
    """A folder with one file a chunk, named after its digest; a symbolic link is no file of the recording. Raises
    InvalidInput when there is no folder."""

    def __init__(self, path: Path) -> None:
        self._path = _folder(path, "recording")

    def names(self) -> Iterator[str]:
        try:
            for entry in self._path.iterdir():
                yield entry.name
        except OSError as error:
            raise InvalidInput(f"cannot read {self._path}: {error.strerror}") from None

    def size(self, name: str) -> int | None:
        return _size(self._path / name, follow=False)

    def read(self, name: str, limit: int) -> bytes | None:
        return _read(self._path / name, limit, follow=False)


class FolderLog:
    """A log's folder. Raises InvalidInput when it is none: it has no checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = _folder(path, "log")
        if _size(path / "checkpoint") is None:
            raise InvalidInput(f"log: expected a folder with a file 'checkpoint': {path}")

    def read(self, path: str, limit: int) -> bytes | None:
        return _read(self._path / path, limit + 1)

    def widths(self, path: str) -> list[int]:
        try:
            names = [entry.name for entry in (self._path / path).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise InvalidInput(f"cannot read {self._path / path}: {error.strerror}") from None
        return sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 3)


def _text(path: Path, what: str, limit: int = MAX_TEXT_BYTES) -> str:
    data = _read(path, limit + 1)
    if data is None:
        raise InvalidInput(f"{what}: there is no file {path}")
    if len(data) > limit:
        raise InvalidInput(f"{what}: {path} is over {limit} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{what}: {path} is not a text file") from None


def read_bundle(path: Path) -> bytes:
    """The bytes of a proof bundle."""
    data = _read(path, MAX_BUNDLE_BYTES + 1)
    if data is None:
        raise InvalidInput(f"bundle: there is no file {path}{_hint(path)}")
    if len(data) > MAX_BUNDLE_BYTES:
        raise InvalidInput(f"bundle: {path} is over {MAX_BUNDLE_BYTES} bytes")
    return data


def _hint(folder: Path) -> str:
    """What to type instead of the name of an exported recording's folder; empty for anything else."""
    bundle, chunks = folder / "bundle.json", folder / "chunks"
    if _size(bundle) is None:
        return ""
    recording = f" --recording {shlex.quote(str(chunks))}" if chunks.is_dir() else ""
    return f", but a folder with one: lucid verify {shlex.quote(str(bundle))}{recording} --key KEY"


def read_shares(path: Path) -> bytes:
    """The bytes of a file of shares."""
    data = _read(path, MAX_SHARES_BYTES + 1)
    if data is None:
        raise InvalidInput(f"shares: there is no file {path}")
    if len(data) > MAX_SHARES_BYTES:
        raise InvalidInput(f"shares: {path} is over {MAX_SHARES_BYTES} bytes")
    return data


def read_key(text: str) -> VerifierKey:
    """A verifier key: the vkey itself, or the name of a file that holds it."""
    try:
        return VerifierKey.parse(text.strip())
    except InvalidInput as error:
        problem = error
    if len(text) > _LONGEST_PATH or _size(Path(text)) is None:
        raise InvalidInput(f"key: {text[:200]} is no file, and as a {problem.detail}")
    return VerifierKey.parse(_text(Path(text), "key").strip())


def read_identity(path: Path) -> Secret:
    """An age identity file, as age-keygen writes it: comments, and one AGE-SECRET-KEY-1… line."""
    lines = [line.strip() for line in _text(path, "identity").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1:
        raise InvalidInput(f"identity: expected one AGE-SECRET-KEY-1… line in {path}, found {len(keys)}")
    identity = Secret(keys[0])
    age.recipient_of(identity)
    return identity


def read_now(text: str) -> str:
    """A time or a date of RFC 3339 (section 5.6); a date begins at midnight UTC."""
    try:
        if not _RFC_3339.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text)
        return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(f"now: expected a time such as 2026-11-22T21:42:00Z, not {text[:40]!r}") from None


def read_checkpoint_file(path: Path) -> str:
    """A checkpoint that somebody kept: a signed note."""
    return _text(path, "checkpoint")
