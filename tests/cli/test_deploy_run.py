"""What the commands that run a deployment print, and what they refuse."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.base.clock import SystemClock
from lucid.base.errors import InvalidInput
from lucid.cli import deploy_desk, deploy_show
from lucid.cli.app import app
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.bringup import Brought
from lucid.deploy.launch.condition import Condition
from lucid.deploy.launch.deployments import Deployments, Ended, event_of
from lucid.deploy.launch.durable import write
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.lock import locked
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.progress import Event, Failure, PhaseBegun, PhaseReady, PhaseSeen, Step
from lucid.deploy.launch.record import Act, History, Record
from lucid.deploy.launch.sets import DeploymentSet, State
from lucid.ports.access import AuditEvent

TIME = "2026-11-23T05:00:00.000000Z"
SET = DeploymentSet(
    number=4, time=TIME, state=State.COMPLETE, lucid="1", configuration="sha256:c", phases=(), images={}
)
STATE = Condition(name="alpha", id="1", image="sha256:1", status="exited", exit_status=3, said="first\nno answer")
FAILURE = Failure(2, "it ended with status 3", "alpha", STATE, ("one", "two \x1b[2J"))
EVENTS: tuple[Event, ...] = (
    Step("set 4"),
    PhaseBegun(2, "Core", ("alpha",)),
    PhaseSeen(2, {"alpha": STATE}, 0.5),
    PhaseReady(2, 1.25, ("alpha",)),
    FAILURE,
)


def lucid(*argv: str) -> Result:
    return CliRunner().invoke(app, argv)


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for event in EVENTS:
        deploy_show.Lines()(event)
    assert capsys.readouterr().out.splitlines() == [
        "set 4",
        "phase 2, Core: alpha",
        "phase 2 healthy after 1.2 s, 1 started",
        "phase 2 failed: alpha: it ended with status 3",
        "  state  exited, status 3",
        "  probe  no answer",
        "  the last 2 lines of its log:",
        "    one",
        "    two \\x1b[2J",
    ]


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for event in EVENTS:
        deploy_show.JsonLines()(event)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in said] == ["step", "phase-begun", "phase-seen", "phase-ready", "failure"]
    assert said[2]["conditions"]["alpha"]["exit_status"] == 3
    assert said[4]["log"] == ["one", "two \x1b[2J"]


def test_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with deploy_show.LiveTable() as show:
        for event in EVENTS:
            show(event)
    assert "phase 2 failed: alpha: it ended with status 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("brought", "said"),
    [
        (Brought(SET), "nothing to change"),
        (Brought(SET, ("alpha",)), "Set 4 runs, and all of it is healthy: 1 started"),
        (Brought(SET, failure=FAILURE), "Set 4, which ran before, is back and healthy"),
        (Brought(None, failure=FAILURE, trouble="disk full"), "could not be put back: disk full"),
        (Brought(None, failure=FAILURE), "no whole set runs now"),
        (Brought(None, ("alpha",)), "1 containers stopped and removed"),
    ],
)
def test_the_end_in_a_sentence(brought: Brought, said: str) -> None:
    ended = Ended(SET, brought, 1.0)
    assert said in deploy_desk.conclusion(ended)
    document = deploy_desk.document(ended, "")
    assert document["well"] is (brought.failure is None)
    assert document["reason"] == ("alpha: it ended with status 3" if brought.failure else "")


def test_phases_that_are_missing_are_said() -> None:
    ended = replace(Ended(SET, Brought(None, ("alpha",)), 1.0), is_whole=False)
    assert "Not all phases run yet" in deploy_desk.conclusion(ended)


async def test_one_engine_at_a_time() -> None:
    with pytest.raises(InvalidInput, match="expected one of them"):
        await deploy_desk.desk(None, "pi", "ssh://pi")


async def test_the_log_is_told_by_one_command_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another command adds meanwhile would be lost: telling writes the list of what is left to tell anew."""
    told: list[str] = []

    class Told:
        async def record(self, *, event: AuditEvent) -> None:
            told.append(event.id)

    class Platform:
        @classmethod
        def of(cls, _data: object) -> "Platform":
            return cls()

        def port(self, _port: type) -> Told:
            return Told()

        async def __aenter__(self) -> "Platform":
            return self

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr("lucid.runtime.client.RemotePlatform", Platform)
    place = Place(tmp_path / "deploy", tmp_path / "identity", tmp_path / "run")
    catalog = Catalog()
    write(place.unlocked(catalog.phases[0]), f"LUCID_DATA_ROOT={tmp_path}/data\n".encode())
    there = deploy_desk.Desk(Engine("docker"), place, catalog, deployments(place, catalog), deploy_show.Silent())
    event = event_of(Record(time=TIME, act=Act.COMPLETED, set=4, runs=4, by="pi", lucid="1", seconds=2), SET, None)
    there.deployments.unsaid.add(event)
    ended = Ended(SET, Brought(SET, ("alpha",)), 1.0)
    async with locked(place.lock):
        untold = await deploy_desk.tell(there, ended)
    assert untold is not None
    assert "another command is at work" in untold.detail
    assert (told, there.deployments.unsaid.all()) == ([], [event])
    assert await deploy_desk.tell(there, ended) is None
    assert (told, there.deployments.unsaid.all()) == ([event.id], [])


def deployments(place: Place, catalog: Catalog) -> Deployments:
    async def opener(_: Place) -> None: ...

    return Deployments(
        engine=Engine("docker"),
        place=place,
        catalog=catalog,
        opener=opener,
        show=deploy_show.Silent(),
        clock=SystemClock(),
        lucid="1",
    )


def test_history_needs_no_engine(tmp_path: Path) -> None:
    done = lucid("deploy", "history", "--json", "--deploy-dir", str(tmp_path))
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    record = Record(time=TIME, act=Act.COMPLETED, set=4, runs=4, by="pi", lucid="1", seconds=2)
    History(tmp_path / "history.jsonl").add(record)
    done = lucid("deploy", "history", "--deploy-dir", str(tmp_path))
    assert "completed" in done.stdout
    assert "(not kept)" in done.stdout


def test_no_engine_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_DOCKER", str(tmp_path / "none"))
    done = lucid("deploy", "status", "--deploy-dir", str(tmp_path))
    assert done.exit_code == 1
    assert "no docker command with Compose" in done.stderr
