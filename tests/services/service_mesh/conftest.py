"""Fixtures: a mesh that runs, py-consul's client of it, and plain HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from consul.aio import Consul

from tests.services.service_mesh.mesh_kit import TOKEN, RunningMesh, running_mesh


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[RunningMesh]:
    async with running_mesh(tmp_path) as found:
        yield found


@pytest.fixture
async def consul(mesh: RunningMesh) -> AsyncIterator[Consul]:
    async with mesh.client() as client:
        yield client


@pytest.fixture
async def http(mesh: RunningMesh) -> AsyncIterator[httpx.AsyncClient]:
    async with plain(mesh) as client:
        yield client


def plain(mesh: RunningMesh) -> httpx.AsyncClient:
    """For what py-consul does not do."""
    headers = {"X-Consul-Token": TOKEN.reveal()}
    return httpx.AsyncClient(base_url=mesh.url, headers=headers, trust_env=False, timeout=20.0)
