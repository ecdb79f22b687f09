"""Tickets at the gateway with the real auth service: each lets one session begin, in time, on its own host."""

import asyncio
from pathlib import Path

import pytest
from structlog.typing import EventDict

from lucid.base.clock import SystemClock, shift_time
from lucid.base.errors import LucidError, Unavailable
from lucid.drivers.rdp.client import RdpClient
from lucid.drivers.rdp.host import ReplayHost
from lucid.model.host import Ticket
from lucid.model.policy import Policy
from lucid.ports.access import Gateway, Tickets
from lucid.ports.recording import Pipeline
from lucid.runtime.platform import Platform
from tests.faults.conftest import platform_on, refusals
from tests.faults.marked import marked_pictures
from tests.flow.conftest import desktop


class LaterClock:
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> str:
        return shift_time(SystemClock().now(), self.ahead_s)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


async def ticket_for(platform: Platform, host: str) -> Ticket:
    return await platform.port(Tickets).issue(user="ann", host=host, policy=Policy())


async def show(platform: Platform, secret: str) -> RdpClient:
    endpoint = await platform.port(Gateway).endpoint()
    return await RdpClient.connect(endpoint.address, endpoint.port, token=secret)


def details(logged: list[EventDict]) -> list[str]:
    return [event["detail"] for event in logged if event["event"] == "connection refused"]


async def test_used_twice(platform: Platform, logged: list[EventDict]) -> None:
    async with desktop(platform, marked_pictures(5)):
        ticket = await ticket_for(platform, "office")
        async with await show(platform, ticket.secret.reveal()) as client:
            await client.wait_closed()
        with pytest.raises(Unavailable):
            await show(platform, ticket.secret.reveal())
    assert details(logged) == ["the ticket is used"]
    assert len(await platform.port(Pipeline).list()) == 1


async def test_expired(tmp_path: Path, logged: list[EventDict]) -> None:
    clock = LaterClock()
    async with platform_on(tmp_path / "data", clock=clock) as platform, desktop(platform, marked_pictures(5)):
        ticket = await ticket_for(platform, "office")
        clock.ahead_s = 121
        with pytest.raises(Unavailable):
            await show(platform, ticket.secret.reveal())
        assert details(logged) == ["the ticket is expired"]
        assert await platform.port(Pipeline).list() == []


@pytest.mark.parametrize("change", ["another character", "cut", "empty"])
async def test_forged(platform: Platform, logged: list[EventDict], change: str) -> None:
    async with desktop(platform, marked_pictures(5)):
        secret = (await ticket_for(platform, "office")).secret.reveal()
        forged = {"another character": ("b" if secret[0] == "a" else "a") + secret[1:], "cut": secret[:-1], "empty": ""}
        with pytest.raises(Unavailable):
            await show(platform, forged[change])
    assert refusals(logged) in (["bad-ticket"], ["no-ticket"])
    assert await platform.port(Pipeline).list() == []


async def test_for_another_host(platform: Platform, logged: list[EventDict]) -> None:
    """The client cannot choose: a ticket leads to its own host, and to none when that is not registered."""
    async with desktop(platform, marked_pictures(5)) as office, desktop(platform, marked_pictures(5), "vault") as vault:
        ticket = await ticket_for(platform, "office")
        async with await show(platform, ticket.secret.reveal()) as client:
            await client.wait_closed()
        assert visits(office, vault) == (1, 0)
        with pytest.raises(Unavailable):
            await show(platform, (await ticket_for(platform, "nowhere")).secret.reveal())
        assert refusals(logged) == ["host-unknown"]
        assert visits(office, vault) == (1, 0)


def visits(*hosts: ReplayHost) -> tuple[int, ...]:
    return tuple(len(host.logons) for host in hosts)


async def test_ten_at_once(tmp_path: Path, logged: list[EventDict]) -> None:
    patient = {"rdp-controller": {"bad_tickets_per_minute": 100}}
    async with platform_on(tmp_path / "data", patient) as platform, desktop(platform, marked_pictures(5)) as host:
        secret = (await ticket_for(platform, "office")).secret.reveal()
        outcomes = await asyncio.gather(*(show(platform, secret) for _ in range(10)), return_exceptions=True)
        (client,) = [outcome for outcome in outcomes if isinstance(outcome, RdpClient)]
        await client.wait_closed()
        assert all(isinstance(outcome, LucidError) for outcome in outcomes if outcome is not client)
        assert details(logged) == ["the ticket is used"] * 9
        assert visits(host) == (1,)
        assert len(await platform.port(Pipeline).list()) == 1
