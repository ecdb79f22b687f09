"""What was deployed when, and what the log has yet to be told."""

from pathlib import Path

import pytest

from lucid.base.errors import LucidError, Unavailable
from lucid.deploy.launch.deployments import event_of
from lucid.deploy.launch.lock import locked
from lucid.deploy.launch.record import Act, History, Record, Unsaid
from lucid.deploy.launch.sets import DeploymentSet, Image, SetPhase, State
from lucid.ports.access import AuditEvent

RECORD = Record(
    time="2026-11-23T05:00:00.000000Z",
    act=Act.FAILED,
    set=2,
    runs=1,
    by="pi",
    lucid="1.0",
    seconds=3.5,
    changed=("alpha",),
    reason="alpha: its probe fails",
)
SET = DeploymentSet(
    number=2,
    time=RECORD.time,
    state=State.WANTED,
    lucid="1.0",
    configuration="sha256:c",
    phases=(SetPhase(number=1, name="foundation", title="First", containers=("alpha",)),),
    images={"alpha": Image(name="alpha:1", id="sha256:" + "a" * 64)},
)


def test_the_event_says_what_was_to_run() -> None:
    event = event_of(RECORD, SET, SET.model_copy(update={"number": 1}))
    assert (event.act, event.outcome, event.actor, event.accountable) == (
        *("deployment.failed", "failed"),
        *("lucid-cli", True),
    )
    assert event.subject == {
        "set": "2",
        "runs": "1",
        "before": "1",
        "by": "pi",
        "lucid": "1.0",
        "reason": "alpha: its probe fails",
        "configuration": "sha256:c",
        "alpha": "sha256:" + "a" * 64,
    }


def test_history_is_kept_in_order(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    assert history.all() == []
    history.add(RECORD)
    path = tmp_path / "history.jsonl"
    path.write_bytes(path.read_bytes() + b'{"time": "2026-')
    other = RECORD.model_copy(update={"act": Act.COMPLETED})
    history.add(other)
    assert history.all() == [RECORD, other]


async def test_what_was_told_is_forgotten(tmp_path: Path) -> None:
    unsaid, told = Unsaid(tmp_path / "unsaid.jsonl"), list[AuditEvent]()
    events = [event_of(RECORD, SET, None) for _ in range(3)]

    async def tell_two(event: AuditEvent) -> None:
        if len(told) == 2:
            raise Unavailable("it does not run")
        told.append(event)

    for event in events:
        unsaid.add(event)
    problem = await unsaid.say(tell_two)
    assert isinstance(problem, LucidError)
    assert (told, unsaid.all()) == (events[:2], events[2:])

    async def tell(event: AuditEvent) -> None:
        told.append(event)

    assert await unsaid.say(tell) is None
    assert (told, unsaid.all()) == (events, [])


async def test_one_at_a_time(tmp_path: Path) -> None:
    async with locked(tmp_path / "lock"):
        with pytest.raises(Unavailable, match="another command is at work"):
            async with locked(tmp_path / "lock", wait_s=0.3):
                pass
    async with locked(tmp_path / "lock", wait_s=0.3):
        pass
