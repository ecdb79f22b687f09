"""Where an installation lives on disk."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

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
