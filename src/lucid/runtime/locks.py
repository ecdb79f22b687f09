"""Who runs on a data folder: one process with everything, or one process a service."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from lucid.base.errors import Conflict
from lucid.runtime.paths import DataDir


@contextlib.contextmanager
def own_installation(data: DataDir) -> Iterator[None]:
    """Own the data folder while in the context. Raises Conflict when another process runs anything on it."""
    with _locked(data.root / ".lock", fcntl.LOCK_EX, f"another lucid runs on {data.root}; stop it or use --data-dir"):
        yield


@contextlib.contextmanager
def own_service(data: DataDir, name: str) -> Iterator[None]:
    """Be the one `name` on the data folder while in the context; other services may run beside it. Raises
    Conflict when another process is, or runs the whole platform there."""
    with (
        _locked(data.root / ".lock", fcntl.LOCK_SH, f"a whole platform runs on {data.root}; stop it first"),
        _locked(data.run_file.with_name(f"{name}.lock"), fcntl.LOCK_EX, f"another {name} runs on {data.root}"),
    ):
        yield


@contextlib.contextmanager
def _locked(path: Path, kind: int, otherwise: str) -> Iterator[None]:
    """Hold a lock on the file; it goes with the process, however that ends (man 2 flock)."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(otherwise) from None
        yield
