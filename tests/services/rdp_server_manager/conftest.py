"""A manager for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.drivers.sqlite.documents import SqliteDocuments
from tests.services.rdp_server_manager.manager_kit import Acts, Kit


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    yield documents
    await documents.aclose()


@pytest.fixture
def kit(documents: SqliteDocuments) -> Kit:
    return Kit(documents)


@pytest.fixture
def acts(kit: Kit) -> Acts:
    return kit.anchored
