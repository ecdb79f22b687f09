"""The audit trail: every act once, in order, findable, and the accountable ones in the log."""

import asyncio
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.access.announcing import Announcer
from lucid.access.audit import AUDIT, AUDIT_TOPIC, AuditFilter, AuditTrail, OutboxRules
from lucid.base.clock import shift_time
from lucid.base.errors import InvalidInput, Unavailable
from lucid.base.ids import new_session_id
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.access import AuditEvent, Outcome
from lucid.services.lucid_auth_service.routes.audit import audit_routes
from tests.asking import asking, person
from tests.services.lucid_auth_service.auth_kit import MemoryBus, MemoryLog, TurnedClock
from tests.waiting import until, until_not

QUICK = OutboxRules(retry_s=0.01, retry_limit_s=0.02, lease_s=60.0, look_s=0.02)
START = "2026-11-22T21:42:00.000000Z"

MakeTrail = Callable[..., AuditTrail]


@pytest.fixture
def make_trail(documents: SqliteDocuments, bus: MemoryBus, log: MemoryLog, clock: TurnedClock) -> MakeTrail:
    def make(rules: OutboxRules = QUICK) -> AuditTrail:
        return AuditTrail(documents=documents, anchoring=log, announcer=Announcer(bus), clock=clock, rules=rules)

    return make


@pytest.fixture
def trail(make_trail: MakeTrail) -> AuditTrail:  # in place of the one in memory
    return make_trail()


def at(seconds: float) -> str:
    """An id of that moment after START."""
    milliseconds = 1_795_383_720_000 + round(seconds * 1000)
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | uuid.uuid4().int & (1 << 62) - 1))


def event(act: str = "account.created", seconds: float = 0.0, **values: object) -> AuditEvent:
    known = {"id": at(seconds), "time": shift_time(START, seconds), "actor": "ada", "act": act}
    return AuditEvent.model_validate(known | values)


def acted(log: MemoryLog) -> list[str]:
    return [act["event"] for act in log.acts]


async def settled(documents: SqliteDocuments) -> None:
    """Wait until nothing is pending."""
    await until_not(lambda: documents.find(AUDIT, {"pending": True}))


async def test_an_event_is_kept_once_and_told_to_others(trail: AuditTrail, bus: MemoryBus, log: MemoryLog) -> None:
    await trail._announcer.start()
    one = event(subject={"account": "eve"}, address="192.0.2.7", request="r1")
    for _ in range(2):
        await trail.record(event=one)
    assert await trail.events() == [one]
    assert await bus.wait_for(AUDIT_TOPIC, 1) == [one.model_dump(mode="json")]
    assert log.acts == []
    await trail._announcer.stop()


async def test_a_bus_that_is_away_does_not_matter(trail: AuditTrail, bus: MemoryBus) -> None:
    bus.away = True
    await trail._announcer.start()
    await trail.record(event=event())
    assert len(await trail.events()) == 1
    trail._announcer.check()
    await trail._announcer.stop()


async def test_events_are_found_by_what_they_say(trail: AuditTrail) -> None:
    for seconds in range(20):
        values = {"actor": ("ada", "eve")[seconds % 2], "outcome": Outcome.DENIED if seconds % 5 == 0 else Outcome.DONE}
        await trail.record(event=event("account.locked" if seconds % 3 == 0 else "account.created", seconds, **values))

    async def seconds_of(**wanted: object) -> list[int]:
        found = await trail.search(AuditFilter(**wanted))  # type: ignore[arg-type]
        return [int(one.time[17:19]) for one in found]

    assert await seconds_of(actor="eve", act="account.locked") == [3, 9, 15]
    assert await seconds_of(outcome=Outcome.DENIED) == [0, 5, 10, 15]
    assert await seconds_of(since=shift_time(START, 5), until=shift_time(START, 8)) == [5, 6, 7]
    assert await seconds_of(actor="ada", since=shift_time(START, 17)) == [18]
    assert len(await seconds_of(since="0005-11-27T08:17:40.673318Z", until="9999-12-31T23:59:59.999999Z")) == 20
    newest = await trail.search(AuditFilter(until=shift_time(START, 8)), newest_first=True, limit=2)
    assert [one.time[17:19] for one in newest] == ["07", "06"]


async def test_denied_acts_end_others_stay(trail: AuditTrail, clock: TurnedClock) -> None:
    for seconds in range(250):
        await trail.record(event=event("login.failed", seconds / 10, outcome=Outcome.DENIED))
    kept = [
        event("account.created", 1),
        event("approval.denied", 1, outcome=Outcome.DENIED, accountable=True),
        event("login.failed", 30, outcome=Outcome.DENIED),
    ]
    for one in kept:
        await trail.record(event=one)
    clock.turn(125)
    assert await trail.sweep(100) == 250
    assert await trail.sweep(100) == 0
    assert {one.id for one in await trail.events()} == {one.id for one in kept}


@settings(max_examples=20)
@given(st.integers(1, 9), st.booleans(), st.integers(0, 20), st.integers(0, 20))
def test_pages_put_together_are_everything(limit: int, newest_first: bool, first: int, last: int) -> None:
    async def check() -> None:
        documents = await SqliteDocuments.open(folder / f"{uuid.uuid4()}.sqlite")
        clock = TurnedClock()
        trail = AuditTrail(
            documents=documents, anchoring=MemoryLog(), announcer=Announcer(MemoryBus()), clock=clock, rules=QUICK
        )
        for second in range(20):
            await trail.record(event=event(seconds=second))
        wanted = AuditFilter(since=shift_time(START, first), until=shift_time(START, last))
        seen: list[int] = []
        after = None
        while page := await trail.search(wanted, after=after, newest_first=newest_first, limit=limit):
            seen += [int(one.time[17:19]) for one in page]
            after = page[-1].id
        assert seen == sorted(range(first, last), reverse=newest_first)
        await documents.aclose()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(check())


async def test_an_accountable_act_is_anchored_once(
    trail: AuditTrail, log: MemoryLog, documents: SqliteDocuments
) -> None:
    await trail.start()
    events = [event(seconds=n, accountable=True, subject={"account": f"a{n}"}) for n in range(5)]
    for one in events:
        await trail.record(event=one)
    await log.wait_for(5)
    await settled(documents)
    await trail.stop()
    assert sorted(acted(log)) == sorted(one.id for one in events)
    assert log.acts[0] == {
        "account": "a0",
        "actor": "ada",
        "event": events[0].id,
        "occurred": events[0].time,
        "outcome": "done",
        "type": "account.created",
    }


async def test_acts_wait_for_a_log_that_is_away(
    make_trail: MakeTrail, log: MemoryLog, documents: SqliteDocuments
) -> None:
    log.away = True
    first = make_trail()
    await first.start()
    events = [event(seconds=n, accountable=True) for n in range(3)]
    for one in events:
        await first.record(event=one)
    with pytest.raises(Unavailable):
        await make_trail().anchor_pending()
    first.check()  # ready all the same
    await first.stop()
    log.away = False
    second = make_trail()  # after a restart
    await second.start()
    await settled(documents)
    await second.stop()
    assert acted(log) == [one.id for one in events]


async def test_replicas_anchor_each_act_once(make_trail: MakeTrail, log: MemoryLog, documents: SqliteDocuments) -> None:
    replicas = [make_trail() for _ in range(3)]
    for replica in replicas:
        await replica.start()
    events = [event(seconds=n, accountable=True) for n in range(30)]
    await asyncio.gather(*(replicas[n % 3].record(event=one) for n, one in enumerate(events)))
    await settled(documents)
    for replica in replicas:
        await replica.stop()
    assert sorted(acted(log)) == [one.id for one in events]


async def test_an_end_waits_for_the_act_that_is_being_anchored(
    make_trail: MakeTrail, log: MemoryLog, documents: SqliteDocuments
) -> None:
    log.wait = asyncio.Event()
    trail = make_trail()
    await trail.start()
    await trail.record(event=event(accountable=True))

    async def leased() -> bool:
        return any("leased_until" in found.body for found in await documents.find(AUDIT))

    await until(leased)
    ending = asyncio.create_task(trail.stop())
    await asyncio.sleep(0)
    log.wait.set()
    await ending
    assert await make_trail().anchor_pending() == 0
    assert len(log.acts) == 1


async def test_what_a_dead_process_held_is_anchored_when_its_lease_ends(
    make_trail: MakeTrail, log: MemoryLog, clock: TurnedClock
) -> None:
    dead = make_trail()
    await dead.record(event=event(accountable=True))
    async for found in dead._pending():
        assert await dead._lease(found)
    other = make_trail()
    assert await other.anchor_pending() == 0
    clock.turn(QUICK.lease_s + 1)
    assert await other.anchor_pending() == 1
    assert len(log.acts) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"id": "not-a-uuid"},
        {"id": str(uuid.uuid4())},
        {"subject": {"actor": "eve"}, "accountable": True},
        {"subject": {"type": "x"}, "accountable": True},
        {"act": "session.opened", "accountable": True},
        {"act": "recording.deleted", "accountable": True},
        {"act": "recording.deleted", "accountable": True, "subject": {"session": "x"}},
    ],
    ids=str,
)
async def test_what_no_log_entry_can_hold_is_refused(trail: AuditTrail, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await trail.record(event=event(**values))
    assert await trail.events() == []


async def test_an_act_on_a_recording_names_its_session(trail: AuditTrail, log: MemoryLog) -> None:
    session = new_session_id()
    await trail.record(event=event("recording.deleted", accountable=True, subject={"session": session}))
    assert await trail.anchor_pending() == 1


async def test_the_api_reads_the_trail_page_by_page(trail: AuditTrail) -> None:
    for second in range(5):
        await trail.record(event=event(seconds=second))
    async with asking(audit_routes(trail), person("eve", "auditor")) as client:
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = (await client.get("/api/v1/audit", params={"limit": 2, **after})).json()
            seen += [item["time"][17:19] for item in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == ["04", "03", "02", "01", "00"]
        for query in (
            "limit=0",
            "limit=201",
            "after=x",
            "since=yesterday",
            "act=%00",
            "actor=A",
            "more=1",
            "outcome=x",
        ):
            assert (await client.get(f"/api/v1/audit?{query}")).status_code == 400
    async with asking(audit_routes(trail), person("ada", "developer")) as client:
        assert (await client.get("/api/v1/audit")).status_code == 403
