"""A small file system that fills up, for tests as root."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """A mounted file system and a file that can take all that is left of it."""

    path: Path

    @property
    def _filler(self) -> Path:
        return self.path / "filler"

    def fill(self, *, leave: int = 0) -> None:
        """Leave about `leave` bytes."""
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        if leave:
            with self._filler.open("r+b") as file:
                file.truncate(max(0, self._filler.stat().st_size - leave))

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink()


@contextlib.contextmanager
def mount_small_disk(path: Path, *, mib: int) -> Iterator[SmallDisk]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", path], check=True)
    try:
        yield SmallDisk(path)
    finally:
        # Lazily: a test that failed may still hold a file open.
        subprocess.run(["umount", "--lazy", path], check=True)
