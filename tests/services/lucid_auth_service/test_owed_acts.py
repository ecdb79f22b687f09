"""Acts on accounts reach the audit trail whatever fails between the change and the record."""

import asyncio

import pytest

from lucid.access.acts import Origin
from lucid.access.records import ACCOUNTS
from lucid.base.errors import Conflict, Unavailable
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.access import AuditEvent
from tests.services.lucid_auth_service.auth_kit import RevokedLogins, Trail
from tests.services.lucid_auth_service.conftest import Make
from tests.waiting import until_not


class BrokenTrail(Trail):
    """A trail that takes nothing; `loses_answers`: or takes it, and the answer is lost."""

    def __init__(self, *, loses_answers: bool = False) -> None:
        super().__init__()
        self._loses_answers = loses_answers

    async def record(self, *, event: AuditEvent) -> None:
        if self._loses_answers:
            await super().record(event=event)
        raise Unavailable("the store is away")


async def owing(documents: SqliteDocuments) -> list[str]:
    return [found.id for found in await documents.find(ACCOUNTS, {"owing": True})]


@pytest.mark.parametrize("loses_answers", [False, True])
async def test_what_could_not_be_recorded_is_recorded_later(
    make: Make, documents: SqliteDocuments, loses_answers: bool
) -> None:
    broken, trail, logins = BrokenTrail(loses_answers=loses_answers), Trail(), RevokedLogins()
    before = make(audit=broken, logins=logins)
    with pytest.raises(Unavailable):
        await before.accounts.create(name="ada", role="user")
    with pytest.raises(Unavailable):
        await before.accounts.change(name="ada", locked=True, origin=Origin("root", "192.0.2.7"))
    assert logins.users == ["ada"]  # a lock counts at once, recorded or not
    with pytest.raises(Unavailable):
        await before.accounts.remove(name="ada")
    assert await owing(documents) == ["ada"]
    after = make(audit=trail, logins=logins)
    await after.people.owed.settle_all()
    assert trail.acts == ["account.created", "account.locked", "account.removed"]
    assert (trail.seen[1].actor, trail.seen[1].address) == ("root", "192.0.2.7")
    assert {event.id for event in broken.seen} <= {event.id for event in trail.seen}
    await after.people.owed.settle_all()
    assert len(trail.seen) == 3
    assert await owing(documents) == []


async def test_the_next_act_brings_the_one_before(make: Make, trail: Trail) -> None:
    with pytest.raises(Unavailable):
        await make(audit=BrokenTrail()).accounts.create(name="ada", role="user")
    await make(audit=trail).accounts.change(name="ada", role="developer")
    assert trail.acts == ["account.created", "account.role-changed"]


async def test_a_change_that_is_taken_back_is_no_act(make: Make, trail: Trail) -> None:
    service, twin = make(audit=trail), make(audit=trail)
    for name in ("one", "two"):
        await service.accounts.create(name=name, role="admin")
    locks = [book.change(name=name, locked=True) for book, name in ((service.accounts, "one"), (twin.accounts, "two"))]
    outcomes = await asyncio.gather(*locks, return_exceptions=True)
    done = sum(not isinstance(outcome, Conflict) for outcome in outcomes)
    assert trail.acts.count("account.locked") == done < 2


async def test_the_sweeper_settles(make: Make, documents: SqliteDocuments, trail: Trail) -> None:
    with pytest.raises(Unavailable):
        await make(audit=BrokenTrail()).accounts.create(name="ada", role="user")
    service = make(audit=trail)
    await service.start()
    await until_not(lambda: owing(documents))
    await service.stop()
    assert "account.created" in trail.acts


class FailingLogins(RevokedLogins):
    async def revoke(self, user: str) -> None:
        raise Unavailable("the store is away")


async def test_a_new_password_ends_the_logins_also_after_a_crash(make: Make, trail: Trail) -> None:
    before, logins = make(audit=trail, logins=FailingLogins()), RevokedLogins()
    await before.accounts.create(name="ada", role="user")
    await before.accounts.create(name="eve", role="user")
    with pytest.raises(Unavailable):
        await before.accounts.reset_password(name="ada")
    await make(audit=trail, logins=logins).people.owed.settle_all()
    assert logins.users == ["ada"]
    assert trail.acts == ["account.created", "account.created", "password.reset"]


async def test_one_account_is_settled(make: Make, trail: Trail) -> None:
    service = make(audit=trail)
    await service.accounts.create(name="ada", role="user")
    with pytest.raises(Unavailable):
        await make(audit=BrokenTrail()).people.second_factors.remove_all("ada")
    await service.people.owed.settle("ada")
    assert trail.acts == ["account.created", "account.factors-removed"]
