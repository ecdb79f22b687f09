"""The wheels that images install: those of the lock files, for the images' Python and platform."""

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
    of the lock. What is there already is not fetched again. Raises Unavailable."""
    folder.mkdir(parents=True, exist_ok=True)
    run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={suite.python}"),
            *(f"--platform={tag}" for tag in platform.wheel_tags),
            *(f"--find-links={folder}", f"--dest={folder}", f"--requirement={root / lock}"),
        ],
        about=f"wheels of {lock} for {platform.docker}",
    )
