"""A world for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.api_gateway.gateway_kit import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path) as made:
        yield made
