"""The service on a real store, with a clock that the tests turn and a cheap password hash."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from lucid.access.passwords import Passwords
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.services.lucid_auth_service.service import AuthService
from tests.services.lucid_auth_service.auth_kit import SETTINGS, RevokedLogins, Trail, TurnedClock


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
def service(
    documents: SqliteDocuments, clock: TurnedClock, cheap: Passwords, trail: Trail, logins: RevokedLogins
) -> AuthService:
    return AuthService(SETTINGS, documents=documents, clock=clock, passwords=cheap, audit=trail, logins=logins)
