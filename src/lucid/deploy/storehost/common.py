"""What the stores' containers share: passwords, configuration files, starting a server in our place."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

SECRETS = Path("/run/secrets")
TEMPORARY = Path("/tmp")  # noqa: S108 - a container's own, in memory

FAILED = 1


def password(name: str, folder: Path = SECRETS) -> str:
    """A password that is mounted as a file. Ends the container with one line when it is missing or empty."""
    path = folder / name
    try:
        text = path.read_text().rstrip("\n")
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    if not text or not text.isprintable():
        sys.exit(f"{path}: expected one line of printable characters")
    return text


def write_private(path: Path, text: str) -> Path:
    """Write a file that only this user may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def become(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> NoReturn:
    """Go on as the server, which then gets the signals of the container engine itself."""
    sys.stdout.flush()
    try:
        os.execve(argv[0], list(argv), {**os.environ, **(environment or {})})  # noqa: S606 - without a shell, there is none
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


def main(start: Callable[[], None], probe: Callable[[], str]) -> NoReturn:
    """`start`, or `probe`: which says why the server is not ready, or nothing if it is."""
    wanted = sys.argv[1:]
    if wanted == ["start"]:
        start()
        sys.exit(0)
    if wanted == ["probe"]:
        reason = probe()
        print(reason or "ready")  # noqa: T201 - shown by `docker inspect`
        sys.exit(FAILED if reason else 0)
    sys.exit("expected start or probe")
