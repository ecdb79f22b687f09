"""What the tests of the deployment share: the rendered files, and Docker's command line."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lucid.deploy.catalog import Catalog
from lucid.deploy.registry import render


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture(scope="session")
def files(catalog: Catalog) -> dict[str, str]:
    """Every rendered path with its text."""
    return render(catalog)


@pytest.fixture(scope="session")
def documents(files: dict[str, str]) -> dict[str, Any]:
    """Every rendered YAML file as PyYAML reads it: anchors and merges resolved."""
    return {path: yaml.safe_load(text) for path, text in files.items() if path.endswith(".yml")}


@pytest.fixture(scope="session")
def docker() -> str:
    """A `docker` that has Compose; another one may come first on PATH."""
    for candidate in (os.environ.get("LUCID_DOCKER"), "/usr/bin/docker", shutil.which("docker")):
        if candidate and Path(candidate).exists() and _has_compose(candidate):
            return candidate
    pytest.skip("no docker with Compose")


def _has_compose(docker: str) -> bool:
    return subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
