"""Where an installation lives on disk."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucid.base.errors import InvalidInput


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/lucid`, or the platform's equivalent."""
    import platformdirs  # in containers the folder is always given

    return Path(platformdirs.user_data_dir("lucid"))


@dataclass(frozen=True)
class DataDir:
    """The folders of one installation: a folder a service, keys, and what a running platform says of itself."""

    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def run_file(self) -> Path:
        """Addresses of the running platform, for the command line."""
        return self.root / "run" / "platform.json"

    def announce(self, state: Mapping[str, Any]) -> None:
        """Say how the platform is reached. Who reads at that moment finds the old text or the new one."""
        temporary = self.run_file.with_suffix(".new")
        temporary.write_text(json.dumps(state, indent=2))
        temporary.replace(self.run_file)

    def announced(self) -> dict[str, Any] | None:
        """What was announced last; None when nothing was, or a power loss left nothing of it."""
        try:
            return dict(json.loads(self.run_file.read_text()))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def of(self, service: str) -> Path:
        return self.root / service

    def create(self) -> None:
        """Make root and keys, readable by the owner alone. Raises InvalidInput when that cannot be."""
        try:
            for folder in (self.root, self.keys, self.run_file.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
            if not os.access(self.root, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.root))
        except OSError as error:
            raise InvalidInput(
                f"data folder {error.filename}: {error.strerror}; choose another with --data-dir or LUCID_DATA_DIR"
            ) from None
