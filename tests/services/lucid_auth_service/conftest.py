"""The service on a real store, with a clock that the tests turn and a cheap password hash."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from lucid.access.factors.passwords import Passwords
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.services.lucid_auth_service.service import AuthService
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, MemoryLog, RevokedLogins, Trail, TurnedClock

Make = Callable[..., AuthService]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    yield documents
    await documents.aclose()


@pytest.fixture
def cheap() -> Passwords:
    """Argon2id at a cost for tests: a password takes a millisecond."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def logins() -> RevokedLogins:
    return RevokedLogins()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def make(documents: SqliteDocuments, bus: MemoryBus, log: MemoryLog, clock: TurnedClock, cheap: Passwords) -> Make:
    """Makes the service, or another replica of it."""
    return partial(AuthService, SETTINGS, documents=documents, bus=bus, anchoring=log, clock=clock, passwords=cheap)


@pytest.fixture
def service(make: Make, trail: Trail, logins: RevokedLogins) -> AuthService:
    return make(audit=trail, logins=logins)


@pytest.fixture
def whole(make: Make) -> AuthService:
    """The service with its own audit trail and logins."""
    return make()
