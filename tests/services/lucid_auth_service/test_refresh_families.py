"""Refresh tokens against a model: what a client, a slow client and a thief may do in any order."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lucid.access.acts import Origin
from lucid.access.factors.passwords import Passwords
from lucid.access.refresh import IssuedTokens
from lucid.access.sign_in import SignedIn
from lucid.access.verifying import ISSUER, AccessTokenVerifier
from lucid.base.clock import parse_time
from lucid.base.errors import Unauthenticated
from lucid.base.secret import Secret
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.services.lucid_auth_service.service import AuthService
from tests.services.lucid_auth_service.auth_kit import SETTINGS, MemoryBus, MemoryLog, Trail, TurnedClock
from tests.services.lucid_auth_service.conftest import Make

GRACE_S, IDLE_S, LIFE_S = 10.0, 1000.0, 3000.0
RULES = SETTINGS.model_copy(update={"refresh_grace_s": GRACE_S, "refresh_idle_s": IDLE_S, "refresh_life_s": LIFE_S})


class WallClock(TurnedClock):
    def monotonic(self) -> float:
        return 0.0

    def seconds(self) -> float:
        return parse_time(self.now()).timestamp()


class Family:
    """One login as it should be. `turns` are all its refresh tokens, the newest last."""

    def __init__(self, issued: IssuedTokens, now: float) -> None:
        self.turns = [issued.refresh.reveal()]
        self.access = [issued.access.reveal()]
        self.began = self.used = now
        self.ended = False

    def over(self, now: float) -> bool:
        return self.ended or now - self.used >= IDLE_S or now - self.began >= LIFE_S


def refusal(verifier: AccessTokenVerifier, token: str) -> str:
    try:
        verifier.principal(token)
    except Unauthenticated as error:
        return error.detail
    return ""


class Families(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = WallClock()
        self.trail = Trail()
        self.families: list[Family] = []

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    @initialize()
    def start(self) -> None:
        self.documents = self.run(SqliteDocuments.open(Path(self.folder.name) / "documents.sqlite"))
        services = [
            AuthService(
                RULES,
                documents=self.documents,
                bus=MemoryBus(),
                anchoring=MemoryLog(),
                clock=self.clock,
                passwords=Passwords(),
                audit=self.trail,
            )
            for _ in range(2)
        ]
        self.run(services[0].accounts.create(name="ada", role="user"))
        self.account = self.run(services[0].accounts.get(name="ada"))
        self.replicas = [service.credentials.logins for service in services]
        self.desk = services[0].credentials.desk

    def teardown(self) -> None:
        if hasattr(self, "documents"):
            self.run(self.documents.aclose())
        self.loop.close()
        self.folder.cleanup()

    @rule(replica=st.integers(0, 1))
    def log_in(self, replica: int) -> None:
        who = SignedIn(self.account, ("pwd",))
        self.clock.turn(0.001)
        issued = self.run(self.replicas[replica].open(who, began=self.clock.now(), device="", origin=Origin()))
        self.families.append(Family(issued, self.clock.seconds()))

    @precondition(lambda self: self.families)
    @rule(data=st.data(), replica=st.integers(0, 1), age=st.sampled_from([0, 0, 0, 1, 1, 2, 5]))
    def refresh(self, data: st.DataObject, replica: int, age: int) -> None:
        family = data.draw(st.sampled_from(self.families))
        turn = max(0, len(family.turns) - 1 - age)
        now = self.clock.seconds()
        newest, before = turn == len(family.turns) - 1, turn == len(family.turns) - 2
        good = not family.over(now) and (newest or (before and now - family.used <= GRACE_S))
        try:
            issued = self.run(self.replicas[replica].refresh(Secret(family.turns[turn]), origin=Origin()))
        except Unauthenticated:
            assert not good
            if not family.over(now):
                assert self.trail.acts[-1] == "login.reused denied"
                family.ended = True
            return
        assert good
        family.access.append(issued.access.reveal())
        if newest:
            assert issued.refresh.reveal() not in family.turns
            family.turns.append(issued.refresh.reveal())
            family.used = now
        else:
            assert issued.refresh.reveal() == family.turns[-1]

    @precondition(lambda self: self.families)
    @rule(data=st.data(), replica=st.integers(0, 1))
    def refresh_twice_at_once(self, data: st.DataObject, replica: int) -> None:
        """Two tabs of a browser: both go on."""
        family = data.draw(st.sampled_from(self.families))
        if family.over(now := self.clock.seconds()):
            return
        token = Secret(family.turns[-1])

        async def both() -> list[IssuedTokens]:
            return list(await asyncio.gather(*(logins.refresh(token, origin=Origin()) for logins in self.replicas)))

        one, other = self.run(both())
        assert one.refresh == other.refresh
        family.turns.append(one.refresh.reveal())
        family.access += [one.access.reveal(), other.access.reveal()]
        family.used = now

    @rule(seconds=st.sampled_from([1.0, 9.0, 11.0, 400.0, 999.0, 1000.0, 2001.0]))
    def wait(self, seconds: float) -> None:
        self.clock.turn(seconds)

    @precondition(lambda self: self.families)
    @rule()
    def end_all(self) -> None:
        self.run(self.replicas[0].revoke("ada"))
        for family in self.families:
            family.ended = True

    @rule(replica=st.integers(0, 1))
    def sweep(self, replica: int) -> None:
        self.run(self.replicas[replica].sweep())

    @rule(replica=st.integers(0, 1))
    def list_logins(self, replica: int) -> None:
        now = self.clock.seconds()
        listed = self.run(self.replicas[replica].list("ada"))
        assert len(listed) == sum(not family.over(now) for family in self.families)

    @invariant()
    def access_tokens_of_ended_logins_are_refused(self) -> None:
        if not self.families:
            return
        verifier = AccessTokenVerifier(ISSUER, self.clock)
        verifier.load(self.run(self.desk.keys()))
        for revocation in self.run(self.desk.revocations()):
            verifier.revoke(revocation)
        for family in self.families:
            for token in family.access[-2:]:
                assert refusal(verifier, token) == ("the login was ended: log in again" if family.ended else "") or (
                    refusal(verifier, token) == "the token has expired"
                )


Families.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestFamilies = Families.TestCase


async def test_replicas_whose_clocks_differ_believe_the_same_client(make: Make, clock: TurnedClock) -> None:
    service = make()
    await service.accounts.create(name="ada", role="user")
    logins = service.credentials.logins
    who = SignedIn(await service.accounts.get(name="ada"), ("pwd",))
    first = await logins.open(who, began=clock.now(), device="", origin=Origin())
    second = await logins.refresh(first.refresh, origin=Origin())
    clock.turn(-0.005)  # another tab's request, answered by a replica whose clock is behind
    assert (await logins.refresh(first.refresh, origin=Origin())).refresh == second.refresh
    clock.turn(-GRACE_S)
    with pytest.raises(Unauthenticated, match="used before"):
        await logins.refresh(first.refresh, origin=Origin())
