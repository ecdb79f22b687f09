"""Tickets: once, in time, for what they were issued for."""

import asyncio
import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lucid.access.factors.passwords import Passwords
from lucid.access.tickets import TICKETS
from lucid.base.errors import InvalidInput, Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.model.host import Grant, Ticket
from lucid.model.policy import Policy
from lucid.services.lucid_auth_service.service import AuthService
from tests.files import bytes_below
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, MemoryLog, TurnedClock

POLICY = Policy(clipboard=True, idle_limit_s=60)


async def issue(service: AuthService, ttl_s: int = 120) -> Ticket:
    return await service.tickets.issue(user="ada", host="desk-1", policy=POLICY, ttl_s=ttl_s)


async def refusal(service: AuthService, secret: Secret) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await service.tickets.redeem(secret=secret)
    return caught.value.detail


async def test_a_ticket_grants_what_it_was_issued_for(service: AuthService) -> None:
    ticket = await issue(service)
    assert (ticket.user, ticket.host, ticket.expires) == ("ada", "desk-1", "2026-11-22T21:44:00.000000Z")
    assert await service.tickets.redeem(secret=ticket.secret) == Grant(user="ada", host="desk-1", policy=POLICY)


async def test_a_secret_fits_a_routing_token(service: AuthService) -> None:
    secrets = {(await issue(service)).secret.reveal() for _ in range(20)}
    assert len(secrets) == 20
    assert all(re.fullmatch("[a-z2-7]{52}", secret) for secret in secrets)  # 52 x 5 bits hold 256


async def test_a_ticket_works_once(service: AuthService) -> None:
    ticket = await issue(service)
    await service.tickets.redeem(secret=ticket.secret)
    assert await refusal(service, ticket.secret) == "the ticket is used"


async def test_who_is_locked_out_cannot_use_a_ticket(service: AuthService) -> None:
    await service.accounts.create(name="ada", role="user")
    ticket, unused = await issue(service), await issue(service)
    await service.accounts.change(name="ada", locked=True)
    assert await refusal(service, ticket.secret) == "the ticket is of an account that is locked"
    await service.accounts.change(name="ada", locked=False)
    await service.tickets.redeem(secret=ticket.secret)
    await service.accounts.remove(name="ada")
    assert await refusal(service, unused.secret) == "the ticket is of an account that is locked"


async def test_of_two_attempts_at_once_one_wins(
    service: AuthService, documents: SqliteDocuments, clock: TurnedClock, cheap: Passwords
) -> None:
    twin = AuthService(
        SETTINGS, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock, passwords=cheap
    )
    for _ in range(20):
        ticket = await issue(service)
        attempts = [office.redeem(secret=ticket.secret) for office in (service.tickets, twin.tickets) * 3]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 5


@pytest.mark.parametrize("forged", ["", "a" * 52, "A", "ü", "x" * 10_000])
async def test_an_invented_ticket_is_unknown(service: AuthService, forged: str) -> None:
    await issue(service)
    assert await refusal(service, Secret(forged)) == "the ticket is unknown"


async def test_a_ticket_in_capitals_is_another(service: AuthService) -> None:
    ticket = await issue(service)
    assert await refusal(service, Secret(ticket.secret.reveal().upper())) == "the ticket is unknown"


@pytest.mark.parametrize(("turned_s", "works"), [(119.9, True), (120, False), (121, False), (90_000, False)])
async def test_a_ticket_ends_with_its_life(
    service: AuthService, clock: TurnedClock, turned_s: float, works: bool
) -> None:
    ticket = await issue(service)
    clock.turn(turned_s)
    if works:
        await service.tickets.redeem(secret=ticket.secret)
    else:
        assert await refusal(service, ticket.secret) == "the ticket is expired"


async def test_a_clock_set_back_does_not_lengthen_a_life(service: AuthService, clock: TurnedClock) -> None:
    late, small_skew = await issue(service), await issue(service)
    clock.turn(-5)
    await service.tickets.redeem(secret=small_skew.secret)
    clock.turn(-60)
    assert await refusal(service, late.secret) == "the ticket is expired"


@pytest.mark.parametrize("ttl_s", [0, -1, 3601])
async def test_a_life_has_limits(service: AuthService, ttl_s: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        await issue(service, ttl_s)
    assert caught.value.field == "ttl_s"


async def test_tickets_survive_a_restart(
    service: AuthService, documents: SqliteDocuments, clock: TurnedClock, cheap: Passwords
) -> None:
    fresh, used = await issue(service), await issue(service)
    await service.tickets.redeem(secret=used.secret)
    restarted = AuthService(
        SETTINGS, documents=documents, bus=MemoryBus(), anchoring=MemoryLog(), clock=clock, passwords=cheap
    )
    assert await refusal(restarted, used.secret) == "the ticket is used"
    await restarted.tickets.redeem(secret=fresh.secret)


async def test_ended_tickets_are_removed_after_a_while(
    service: AuthService, documents: SqliteDocuments, clock: TurnedClock
) -> None:
    old = [await issue(service, ttl_s=10) for _ in range(150)]
    clock.turn(1000)
    fresh = await issue(service, ttl_s=3600)
    assert await service.sweep() == 0
    clock.turn(2700)
    assert await service.sweep() == 150
    assert len(await documents.find(TICKETS)) == 1
    assert await refusal(service, old[0].secret) == "the ticket is unknown"
    clock.turn(-2700)
    await service.tickets.redeem(secret=fresh.secret)


async def test_the_secret_is_neither_stored_nor_logged(service: AuthService, tmp_path: Path) -> None:
    with capture_logs() as logs:
        ticket = await issue(service)
        await service.tickets.redeem(secret=ticket.secret)
        await refusal(service, ticket.secret)
    assert ticket.secret.reveal() not in str(logs)
    assert ticket.secret.reveal().encode() not in bytes_below(tmp_path)
    assert [entry["event"] for entry in logs] == ["ticket.issued", "ticket.redeemed", "ticket.redeemed"]
    assert len({entry["reference"] for entry in logs}) == 1
    assert logs[2]["reason"] == "used"
