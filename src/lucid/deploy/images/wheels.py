"""The wheels that images install: those of the lock files, for the images' Python and platform."""

import hashlib
import sys
from pathlib import Path

from lucid.deploy.images.packages import Suite
from lucid.deploy.images.platform import Platform
from lucid.deploy.images.process import run

SERVICES = "requirements/image.txt"
STORES = "requirements/image-stores.txt"
TOOLS = "requirements/image-tools.txt"
STAND_INS = "requirements/image-stand-ins.txt"


def fetch_wheels(root: Path, lock: str, folder: Path, suite: Suite, platform: Platform) -> None:
    """Download what the lock file names to `folder`, from where this machine's pip is told to. Each file has a digest
    of the lock. What is there already is not fetched again, and as long as it is as pip left it, for the same lock, pip
    is not asked. Raises Unavailable."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder.with_name(f"{folder.name}.fetched")
    if note.is_file() and note.read_text() == _state(root / lock, folder):
        return
    run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={suite.python}"),
            *(f"--platform={tag}" for tag in platform.wheel_tags),
            *(f"--find-links={folder}", f"--dest={folder}", f"--requirement={root / lock}"),
        ],
        about=f"wheels of {lock} for {platform.docker}",
    )
    note.write_text(_state(root / lock, folder))


def _state(lock: Path, folder: Path) -> str:
    """Digests of the lock file and of all that is in the folder."""
    lines = [_digest(lock), *(f"{path.name} {_digest(path)}" for path in sorted(folder.iterdir()))]
    return "".join(f"{line}\n" for line in lines)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
