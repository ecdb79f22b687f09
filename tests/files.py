"""What stands in the files of a folder, while a platform may be writing to it."""

from collections.abc import Iterator
from pathlib import Path


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below `folder` with its bytes; one that is removed meanwhile (a merged index, say) is passed over."""
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:
                continue


def bytes_below(folder: Path) -> bytes:
    """The bytes of all files below `folder`, one after the other.

    Raises:
        AssertionError: no file is there, so that nothing could stand in one.
    """
    read = [data for _, data in contents(folder)]
    assert read, f"no file below {folder}"
    return b"".join(read)


def files_holding(folder: Path, *needles: bytes) -> list[Path]:
    """The files below `folder` that hold any of `needles`.

    Raises:
        AssertionError: no file is there, so that none could hold them.
    """
    read = dict(contents(folder))
    assert read, f"no file below {folder}"
    return [path for path, data in read.items() if any(needle in data for needle in needles)]
