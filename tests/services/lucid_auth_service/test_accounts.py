"""Accounts: the administrator, logins, and what slows down who guesses."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lucid.access.factors.lockout import ATTEMPTS, Backoff
from lucid.access.factors.passwords import ALPHABET, Passwords, random_password
from lucid.access.records import ACCOUNTS
from lucid.base.errors import TooManyRequests, Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.http.web import HttpxWeb
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.access import Account, AccountKeeping, Accounts, Tickets
from lucid.ports.log import Anchoring
from lucid.ports.service import Ports
from lucid.ports.stores import Bus, Documents
from lucid.ports.web import Web
from lucid.services.lucid_auth_service.app import create
from lucid.services.lucid_auth_service.service import AuthService
from tests.files import bytes_below
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, MemoryLog, TurnedClock
from tests.waiting import until_not

WRONG = Secret("wrong")


async def administrator(service: AuthService) -> Secret:
    password = await service.accounts.create_administrator()
    assert password is not None
    return password


async def fail(service: AuthService, name: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            await service.accounts.authenticate(name=name, password=WRONG)


async def test_the_administrator_is_created_once(service: AuthService) -> None:
    password = await administrator(service)
    assert await service.accounts.create_administrator() is None
    account = await service.accounts.authenticate(name="admin", password=password)
    assert account == Account(name="admin", role="admin", created="2026-11-22T21:42:00.000000Z")


async def test_of_calls_at_once_one_creates_it(service: AuthService) -> None:
    passwords = await asyncio.gather(*(service.accounts.create_administrator() for _ in range(5)))
    (password,) = (password for password in passwords if password is not None)
    await service.accounts.authenticate(name="admin", password=password)


def test_passwords_are_long_random_and_readable() -> None:
    passwords = {random_password().reveal() for _ in range(100)}
    assert len(passwords) == 100
    for password in passwords:
        groups = password.split("-")
        assert [len(group) for group in groups] == [6, 6, 6, 6]
        assert set("".join(groups)) <= set(ALPHABET)
    assert not set("0o1il") & set(ALPHABET)


async def test_a_wrong_name_and_a_wrong_password_look_the_same(service: AuthService) -> None:
    password = await administrator(service)
    details = set()
    for name, tried in (("admin", WRONG), ("admin", Secret("")), ("nobody", WRONG), ("nobody", password)):
        with pytest.raises(Unauthenticated) as caught:
            await service.accounts.authenticate(name=name, password=tried)
        details.add(caught.value.detail)
    assert len(details) == 1


class CountedHasher(PasswordHasher):
    """Remembers the cost of each hash that was checked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.costs: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.costs.append(str(hash).rsplit("$", 2)[0])
        return super().verify(hash, password)


async def test_an_unknown_name_takes_as_long(clock: TurnedClock, documents: SqliteDocuments) -> None:
    hasher = CountedHasher()
    service = AuthService(
        SETTINGS, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock, passwords=Passwords(hasher)
    )
    await administrator(service)
    await fail(service, "admin", 1)
    await fail(service, "nobody", 1)
    assert hasher.costs == ["$argon2id$v=19$m=8,t=1,p=1"] * 2


@pytest.mark.parametrize("name", ["admin", "nobody"])
async def test_repeated_failures_have_to_pause(service: AuthService, clock: TurnedClock, name: str) -> None:
    password = await administrator(service)
    await fail(service, name, 5)
    for pause_s in (1, 2, 4, 8):
        with pytest.raises(TooManyRequests) as caught:
            await service.accounts.authenticate(name=name, password=password)
        assert caught.value.retry_after_s == pause_s
        clock.turn(pause_s)
        await fail(service, name, 1)


async def test_a_login_clears_the_count(service: AuthService, clock: TurnedClock) -> None:
    password = await administrator(service)
    await fail(service, "admin", 5)
    clock.turn(1)
    await service.accounts.authenticate(name="admin", password=password)
    await fail(service, "admin", 5)


async def test_parallel_guesses_count_too(service: AuthService) -> None:
    await administrator(service)
    guesses = [service.accounts.authenticate(name="admin", password=WRONG) for _ in range(30)]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) <= 5
    assert {type(outcome) for outcome in outcomes} == {Unauthenticated, TooManyRequests}


async def test_pauses_survive_a_restart(
    service: AuthService, documents: SqliteDocuments, clock: TurnedClock, cheap: Passwords
) -> None:
    await fail(service, "admin", 5)
    restarted = AuthService(
        SETTINGS, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock, passwords=cheap
    )
    with pytest.raises(TooManyRequests):
        await restarted.accounts.authenticate(name="admin", password=WRONG)


async def test_a_clock_set_back_locks_nobody_out(service: AuthService, clock: TurnedClock) -> None:
    password = await administrator(service)
    await fail(service, "admin", 5)
    clock.turn(-3600)
    await service.accounts.authenticate(name="admin", password=password)


async def test_failures_are_forgotten(service: AuthService, documents: SqliteDocuments, clock: TurnedClock) -> None:
    for n in range(150):
        await fail(service, f"name-{n}", 1)
    clock.turn(3599)
    await fail(service, "admin", 5)
    assert await service.sweep() == 0
    clock.turn(1)
    assert await service.sweep() == 150
    assert len(await documents.find(ATTEMPTS)) == 1
    clock.turn(3600)
    await fail(service, "admin", 5)


@given(failures=st.integers(0, 10_000))
def test_the_pause_grows_to_its_cap(failures: int) -> None:
    backoff = Backoff()
    assert backoff.pause_s(failures) <= backoff.pause_s(failures + 1) <= backoff.cap_s
    assert (backoff.pause_s(failures) == 0) == (failures < backoff.free)


async def test_a_hash_of_another_cost_is_renewed_at_login(
    service: AuthService, documents: SqliteDocuments, clock: TurnedClock
) -> None:
    password = await administrator(service)
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    service = AuthService(
        SETTINGS, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock, passwords=dearer
    )
    for _ in range(2):
        await service.accounts.authenticate(name="admin", password=password)
    found = await documents.get(ACCOUNTS, "admin")
    assert found.body["password_hash"].startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert found.version == 3  # created, its act recorded, hashed again


async def test_the_usual_cost_is_the_recommended_one() -> None:
    encoded = await Passwords().hash(Secret("x"))
    assert encoded.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106 section 4, second option


async def test_passwords_are_neither_stored_nor_logged(service: AuthService, tmp_path: Path) -> None:
    with capture_logs() as logs:
        password = await administrator(service)
        await service.accounts.authenticate(name="admin", password=password)
        await fail(service, "admin", 1)
        with pytest.raises(Unauthenticated):  # people type passwords into the name's field
            await service.accounts.authenticate(name="my-other-password", password=WRONG)
    stored = bytes_below(tmp_path)
    for text in (password.reveal(), "my-other-password"):
        assert text not in str(logs)
        assert text.encode() not in stored
    assert [entry["event"] for entry in logs if " " in entry["event"]] == ["login failed", "login failed"]


async def test_the_app_offers_both_ports_and_sweeps(documents: SqliteDocuments, clock: TurnedClock) -> None:
    app = create(
        SETTINGS, Ports({Documents: documents, Bus: MemoryBus(), Anchoring: MemoryLog(), Web: HttpxWeb()}, clock)
    )
    assert set(app.provides) >= {Tickets, Accounts, AccountKeeping}
    body = {"failures": 1, "last": "2020-01-01T00:00:00.000000Z"}
    await documents.insert(ATTEMPTS, "old", body)
    await app.start()
    await until_not(lambda: documents.find(ATTEMPTS))
    for check in app.checks.values():
        await check()
    await app.stop()
