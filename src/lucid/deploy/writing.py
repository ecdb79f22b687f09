"""Rendered text and the files on the disk: what differs, and writing it."""

import os
from collections.abc import Mapping
from pathlib import Path

from lucid.base.errors import Conflict, InvalidInput
from lucid.deploy.marks import HEAD_BYTES, is_ours

EXECUTABLE = ".sh"


def differences(files: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Path to what is wrong with it: `missing`, `differs`, or `not executable`."""
    found = {}
    for path, text in files.items():
        try:
            on_disk = (folder / path).read_bytes()
        except FileNotFoundError:
            found[path] = "missing"
            continue
        except OSError as error:
            raise InvalidInput(f"{folder / path}: {error.strerror}") from None
        if on_disk != text.encode():
            found[path] = "differs"
        elif path.endswith(EXECUTABLE) and not os.access(folder / path, os.X_OK):
            found[path] = "not executable"
    return found


def write(files: Mapping[str, str], folder: Path) -> list[str]:
    """Write what differs, and return those paths. Raises Conflict, before anything is written, for a file that was
    not rendered, and InvalidInput for a folder that cannot be written."""
    stale = list(differences(files, folder))
    for path in stale:
        if not _may_replace(folder / path):
            raise Conflict(f"{folder / path} was not rendered by this command; move it away first")
    for path in stale:
        try:
            _replace(folder / path, files[path], 0o755 if path.endswith(EXECUTABLE) else 0o644)
        except OSError as error:
            raise InvalidInput(f"{folder / path}: {error.strerror}") from None
    return stale


def _may_replace(path: Path) -> bool:
    if path.is_symlink() or not path.exists():
        return not path.is_symlink()
    with path.open("rb") as file:
        return is_ours(file.read(HEAD_BYTES).decode(errors="replace"))


def _replace(path: Path, text: str, mode: int) -> None:
    """All of the new text or all of the old: a reader never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(text.encode())
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
