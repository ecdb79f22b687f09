"""Real hosts and clients, started once for all tests of this folder. They need root and Debian's packages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.rdp_client import Display, running_display
from tests.real.xrdp_host import XrdpHost, running_xrdp


@pytest.fixture(scope="session")
def xrdp_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XrdpHost]:
    with running_xrdp(tmp_path_factory.mktemp("xrdp")) as host:
        yield host


@pytest.fixture(scope="session")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    with running_display(tmp_path_factory.mktemp("display"), 1280, 800) as found:
        yield found


@pytest.fixture
def client_folder(tmp_path: Path) -> Path:
    """Where a client keeps its settings and logs, away from those of the person who runs the tests."""
    folder = tmp_path / "client"
    folder.mkdir()
    return folder
