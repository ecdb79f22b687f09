"""Accounts over their life: created, changed, locked, removed; and always somebody who can administer."""

import asyncio
import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.access.acts import OPERATOR, Origin
from lucid.access.factors.password_rule import LONGEST, SHORTEST, check_password
from lucid.access.factors.passwords import Passwords, random_password
from lucid.access.records import ACCOUNTS
from lucid.base.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.permission import ROLE_NAMES, Role
from lucid.ports.access import Account
from lucid.services.lucid_auth_service.service import AuthService
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, MemoryLog, RevokedLogins, Trail, TurnedClock

ADA = Origin("ada")
GOOD = Secret("seven green bicycles")


@pytest.mark.parametrize("role", ROLE_NAMES)
async def test_an_account_is_created_with_a_random_password(service: AuthService, role: Role, trail: Trail) -> None:
    password = await service.accounts.create(name="ada", role=role)
    account = await service.accounts.authenticate(name="ada", password=password)
    assert account == Account(name="ada", role=role, created="2026-11-22T21:42:00.000000Z")
    assert await service.accounts.get(name="ada") == account
    (event,) = trail.seen
    assert (event.act, event.actor, event.subject, event.accountable) == (
        "account.created",
        OPERATOR,
        {"account": "ada", "role": role},
        True,
    )


@pytest.mark.parametrize("name", ["ada", OPERATOR, "anonymous"])
async def test_a_name_that_is_taken_or_means_something_else(service: AuthService, name: str) -> None:
    await service.accounts.create(name="ada", role="user")
    with pytest.raises((Conflict, InvalidInput)):
        await service.accounts.create(name=name, role="admin")
    assert (await service.accounts.get(name="ada")).role == "user"


async def test_accounts_are_listed_by_name(service: AuthService) -> None:
    for name in ("cy", "ada", "dan", "bob"):
        await service.accounts.create(name=name, role="user")
    await service.accounts.remove(name="bob")
    assert [account.name for account in await service.accounts.list()] == ["ada", "cy", "dan"]
    assert [account.name for account in await service.accounts.list(limit=2)] == ["ada", "cy"]
    assert [account.name for account in await service.accounts.list(after="ada", limit=1)] == ["cy"]
    assert [account.name for account in await service.accounts.list(after="dan")] == []


async def test_a_changed_role_ends_the_logins(service: AuthService, trail: Trail, logins: RevokedLogins) -> None:
    await service.accounts.create(name="ada", role="user")
    changed = await service.accounts.change(name="ada", role="auditor", origin=Origin("root"))
    assert changed.role == (await service.accounts.get(name="ada")).role == "auditor"
    assert logins.users == ["ada"]
    assert trail.acts[1:] == ["account.role-changed"]
    assert (trail.seen[1].actor, trail.seen[1].subject) == ("root", {"account": "ada", "role": "auditor"})
    await service.accounts.change(name="ada")
    assert len(trail.seen) == 2


async def test_the_same_change_again_is_no_act_and_ends_the_logins_again(
    service: AuthService, trail: Trail, logins: RevokedLogins
) -> None:
    await service.accounts.create(name="ada", role="user")
    for _ in range(2):  # a first attempt may have failed between the two
        await service.accounts.change(name="ada", locked=True)
    assert trail.acts[1:] == ["account.locked"]
    assert logins.users == ["ada", "ada"]


async def test_a_locked_account_does_not_log_in(service: AuthService, trail: Trail, clock: TurnedClock) -> None:
    password = await service.accounts.create(name="ada", role="user")
    assert (await service.accounts.change(name="ada", locked=True)).locked
    with pytest.raises(Unauthenticated) as locked:
        await service.accounts.authenticate(name="ada", password=password)
    with pytest.raises(Unauthenticated) as unknown:
        await service.accounts.authenticate(name="nobody", password=password)
    assert locked.value.detail == unknown.value.detail
    await service.accounts.change(name="ada", locked=False)
    await service.accounts.authenticate(name="ada", password=password)
    assert trail.acts[1:] == ["account.locked", *["login.failed denied"] * 2, "account.unlocked"]
    assert [event.subject for event in trail.seen[2:4]] == [{"account": "ada"}, {}]  # people type passwords as names


async def test_a_removed_account_is_gone_and_its_name_stays_taken(
    service: AuthService, documents: SqliteDocuments, trail: Trail, logins: RevokedLogins
) -> None:
    password = await service.accounts.create(name="ada", role="user")
    await service.accounts.remove(name="ada")
    assert logins.users == ["ada"]
    assert trail.acts[1:] == ["account.removed"]
    for again in (
        service.accounts.get(name="ada"),
        service.accounts.change(name="ada", locked=False),
        service.accounts.remove(name="ada"),
        service.accounts.reset_password(name="ada"),
    ):
        with pytest.raises(NotFound):
            await again
    with pytest.raises(Unauthenticated):
        await service.accounts.authenticate(name="ada", password=password)
    with pytest.raises(Conflict):
        await service.accounts.create(name="ada", role="user")
    assert "argon2" not in str((await documents.get(ACCOUNTS, "ada")).body)


@pytest.mark.parametrize("call", ["get", "change", "remove", "reset_password"])
async def test_an_unknown_account_is_not_found(service: AuthService, call: str) -> None:
    with pytest.raises(NotFound):
        await getattr(service.accounts, call)(name="nobody")


async def test_the_last_administrator_stays(service: AuthService, trail: Trail) -> None:
    await service.accounts.create_administrator()
    await service.accounts.create(name="locked", role="admin")
    await service.accounts.change(name="locked", locked=True)
    acts = list(trail.acts)
    for change in (
        service.accounts.change(name="admin", role="user"),
        service.accounts.change(name="admin", locked=True),
        service.accounts.change(name="admin", role="developer", locked=True),
        service.accounts.remove(name="admin"),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            await change
    assert trail.acts == acts
    assert not (await service.accounts.get(name="admin")).locked
    await service.accounts.change(name="admin", role="admin", locked=False)
    await service.accounts.change(name="locked", locked=False)
    await service.accounts.remove(name="admin")
    assert await service.accounts.create_administrator() is None  # once ever


@pytest.mark.parametrize("attempt", range(5))
async def test_administrators_who_remove_each_other_leave_one(
    service: AuthService, documents: SqliteDocuments, clock: TurnedClock, cheap: Passwords, attempt: int
) -> None:
    twin = AuthService(
        SETTINGS, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock, passwords=cheap
    )
    names = [f"root-{n}" for n in range(4)]
    for name in names:
        await service.accounts.create(name=name, role="admin")
    acts = [
        (service, twin)[n % 2].accounts.change(name=name, **change)
        for n, name in enumerate(names)
        for change in ({"locked": True}, {"role": "user"})
    ]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {Account, Conflict}
    left = [account for account in await service.accounts.list() if account.role == "admin" and not account.locked]
    assert left


async def test_people_change_their_password(service: AuthService, trail: Trail, logins: RevokedLogins) -> None:
    old = await service.accounts.create(name="ada", role="user")
    await service.accounts.set_password(name="ada", current=old, new=GOOD, origin=ADA)
    assert logins.users == ["ada"]
    assert trail.acts[1:] == ["password.changed"]
    with pytest.raises(Unauthenticated):
        await service.accounts.authenticate(name="ada", password=old)
    await service.accounts.authenticate(name="ada", password=GOOD)


async def test_a_password_is_changed_only_with_the_present_one(
    service: AuthService, trail: Trail, logins: RevokedLogins
) -> None:
    password = await service.accounts.create(name="ada", role="user")
    for _ in range(5):
        with pytest.raises(Forbidden):
            await service.accounts.set_password(name="ada", current=GOOD, new=GOOD, origin=ADA)
    with pytest.raises(TooManyRequests):  # guesses with a stolen login have to pause too
        await service.accounts.set_password(name="ada", current=password, new=GOOD, origin=ADA)
    assert logins.users == []
    assert trail.acts[1:] == ["login.failed denied"] * 5


async def test_a_weak_password_is_not_taken(service: AuthService) -> None:
    old = await service.accounts.create(name="ada", role="user")
    with pytest.raises(InvalidInput) as caught:
        await service.accounts.set_password(name="ada", current=old, new=Secret("password1234"), origin=ADA)
    assert caught.value.field == "new_password"
    assert "password1234" not in caught.value.detail
    await service.accounts.authenticate(name="ada", password=old)


async def test_a_character_may_be_typed_in_either_form(service: AuthService) -> None:
    old = await service.accounts.create(name="ada", role="user")
    new = Secret("sieben grüne Fahrräder")
    await service.accounts.set_password(name="ada", current=old, new=new, origin=ADA)
    await service.accounts.authenticate(name="ada", password=Secret("sieben gru\u0308ne Fahrra\u0308der"))


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "ada-lovelace",
        "Ada-Lovelace-1815",
        "password1234",
        "Password!2026",
        "adminadminadmin",
        "qwertyuiop123",
        "abcdefghijkl",
        "zyxwvutsrqpo",
        "123456789012",
        "letmein-lucid",
        "x" * (LONGEST + 1),
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput):
        check_password(Secret(password), "ada-lovelace")


@pytest.mark.parametrize(
    "password", [GOOD.reveal(), "correct horse battery staple", "9f!kd-Wq2x#Lm", "пароль из слов!"]
)
def test_what_is_not_is_taken(password: str) -> None:
    check_password(Secret(password), "ada-lovelace")


@given(st.text(max_size=40), st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True))
def test_any_text_is_judged_and_short_ones_are_refused(text: str, name: str) -> None:
    with contextlib.suppress(InvalidInput):
        check_password(Secret(text), name)
        assert len(unicodedata.normalize("NFKC", text)) >= SHORTEST


@given(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True))
def test_random_passwords_keep_the_rule(name: str) -> None:
    check_password(random_password(), name)
