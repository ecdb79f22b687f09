"""Docker's command line as tests call it."""

import subprocess
from pathlib import Path
from typing import Any

import yaml


def config(docker: str, text: str, folder: Path) -> dict[str, Any]:
    """What Compose makes of a file. Fails with what Compose says."""
    path = folder / "compose.yml"
    path.write_text(text)
    done = subprocess.run([docker, "compose", "-f", path, "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout))
