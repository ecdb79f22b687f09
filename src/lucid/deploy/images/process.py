"""Programs that the building of images runs."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lucid.base.errors import Unavailable

LAST_LINES = 4


def run(
    argv: Sequence[str],
    *,
    about: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    unless: str | None = None,
) -> str:
    """What the program prints. Raises Unavailable with `about` and its last lines when it is missing or fails, `unless`
    it complains of just that."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Unavailable(f"{about}: {argv[0]} is not installed") from None
    if done.returncode != 0 and (unless is None or unless not in done.stderr):
        lines = (done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:]
        raise Unavailable(f"{about}: {argv[0]} failed ({done.returncode}): {' / '.join(lines)}")
    return done.stdout


def follow(argv: Sequence[str], *, about: str, cwd: Path | None = None, stdin: str = "") -> None:
    """Run a program that shows its progress on our standard error. Raises Unavailable."""
    try:
        done = subprocess.run(argv, cwd=cwd, input=stdin, stdout=2, text=True, check=False)
    except FileNotFoundError:
        raise Unavailable(f"{about}: {argv[0]} is not installed") from None
    if done.returncode:
        raise Unavailable(f"{about}: {' '.join(argv[:3])} failed ({done.returncode}), as its lines above say")
