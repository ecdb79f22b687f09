"""A world without the other services, and session-api in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.drivers.tantivy.index import TantivyIndex
from lucid.services.session_api.service import SessionApi
from tests.services.session_api.session_kit import World, session_api


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    opened = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    yield opened
    await opened.aclose()


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[TantivyIndex]:
    opened = TantivyIndex(tmp_path / "search")
    yield opened
    await opened.aclose()


@pytest.fixture
async def service(world: World, documents: SqliteDocuments, index: TantivyIndex) -> AsyncIterator[SessionApi]:
    """Not started: nothing happens in the background."""
    made = session_api(world, documents, index)
    yield made
    await made.stop()
