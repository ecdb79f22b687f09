"""Platforms in the test's own process, for faults that do not end the process."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from lucid.base.clock import Clock
from lucid.runtime.platform import Platform
from lucid.runtime.settings import RuntimeSettings

FAST_LOG = {"blockchain-engine": {"slot_ms": 50}}


@contextlib.asynccontextmanager
async def platform_on(
    folder: Path, overrides: Mapping[str, Mapping[str, Any]] | None = None, clock: Clock | None = None
) -> AsyncIterator[Platform]:
    """A platform on the data folder `folder`, with a quick log."""
    settings = RuntimeSettings.load(data_dir=folder)
    async with Platform(settings, ephemeral=True, overrides=FAST_LOG | dict(overrides or {}), clock=clock) as running:
        yield running


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform_on(tmp_path / "data") as running:
        yield running


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """Everything that is logged in the test."""
    with structlog.testing.capture_logs() as events:
        yield events


def refusals(logged: list[EventDict]) -> list[str]:
    """Why the gateway turned clients away, in order."""
    return [event["reason"] for event in logged if event["event"] == "connection refused"]
