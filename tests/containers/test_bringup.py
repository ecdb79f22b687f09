"""Bringing a deployment up on a real engine, and everything that goes wrong meanwhile."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lucid.base.errors import Conflict, NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.deploy.compose import PROJECT
from lucid.deploy.launch.preparing import configure, give
from lucid.deploy.launch.progress import Failure, PhaseBegun, PhaseReady, PhaseSeen
from lucid.deploy.launch.record import Act
from lucid.deploy.launch.sets import State
from tests.containers.bringup_kit import CATALOG, NAMES, PREFIX, TOKEN, Site, ids, image, images, inspect, run, without

ALPHA, BETA, GAMMA = NAMES
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A deployment with images that get healthy; nothing runs yet."""
    _clean()
    for name in NAMES:
        image(name, "well")
    made = Site(tmp_path)
    made.prepare()
    yield made
    _clean()


def _clean() -> None:
    if there := [*ids().values()]:
        run("rm", "--force", *there)
    if tags := run("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={PREFIX}*").split():
        run("rmi", "--force", *tags)


def _command(act: str, site: Site) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "tests.containers.bringup_kit", act, str(site.folder)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _pid(name: str) -> int:
    return int(inspect(name)["State"]["Pid"])


async def _until(condition: Callable[[], object], within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the engine, or another process, makes it true
            await asyncio.sleep(0.02)


async def test_phase_after_phase(site: Site) -> None:
    ended = await site.deployments().up()
    assert ended.is_well
    assert set(ended.brought.changed) == set(NAMES)
    assert [type(event) for event in site.said if isinstance(event, PhaseBegun | PhaseReady)] == [
        *(PhaseBegun, PhaseReady),
        *(PhaseBegun, PhaseReady),
    ]
    first, second = inspect(ALPHA), inspect(BETA)
    assert first["State"]["Health"]["Log"][0]["End"] < second["State"]["StartedAt"]
    assert inspect(BETA)["Config"]["Labels"]["com.docker.compose.project"] == PROJECT
    assert (now := site.deployments().sets.current()) is not None
    assert (now.number, now.state) == (1, State.COMPLETE)
    assert {name: one.id for name, one in now.images.items()} == images()


async def test_the_next_phase_is_made_while_one_gets_healthy(site: Site) -> None:
    image(ALPHA, "slow")
    assert (await site.deployments().up()).is_well
    healthy = next(probe for probe in inspect(ALPHA)["State"]["Health"]["Log"] if probe["ExitCode"] == 0)["End"]
    for name in (BETA, GAMMA):
        assert inspect(name)["Created"] < healthy < inspect(name)["State"]["StartedAt"]


async def test_what_runs_is_left_alone(site: Site) -> None:
    await site.deployments().up()
    before = ids()
    begun = time.monotonic()
    ended = await site.deployments().up()
    assert time.monotonic() - begun < 5
    assert (ended.is_well, ended.brought.changed) == (True, ())
    assert ids() == before
    assert len(site.deployments().history.all()) == len(site.deployments().unsaid.all()) == 1


async def test_a_moved_name_does_not_matter(site: Site) -> None:
    await site.deployments().up()
    before = ids()
    image(BETA, "never")
    assert (await site.deployments().up()).brought.changed == ()
    assert ids() == before


async def test_the_set_before_comes_back(site: Site) -> None:
    await site.deployments().up()
    before = images()
    image(BETA, "never")
    ended = await site.deployments(limit_s=4).up(anew=True)
    (failure,) = site.heard(Failure)
    assert failure.container == BETA
    assert failure.why == "not healthy after 4 s"
    assert failure.log == ("line one of never", "the last line of never")
    assert failure.condition.said == "there is no /tmp/ready"
    assert ended.brought.runs is not None
    assert ended.brought.runs.number == 1
    assert images() == before
    assert all(inspect(name)["State"]["Health"]["Status"] == "healthy" for name in NAMES)
    assert [record.act for record in site.deployments().history.all()] == [Act.COMPLETED, Act.FAILED]
    (_, event) = site.deployments().unsaid.all()
    assert (event.act, event.outcome, event.accountable) == ("deployment.failed", "failed", True)
    assert (event.subject["set"], event.subject["runs"]) == ("2", "1")
    assert event.subject[ALPHA] == before[ALPHA]


async def test_what_ends_is_not_waited_for(site: Site) -> None:
    image(GAMMA, "ends")
    ended = await site.deployments().up()
    (failure,) = site.heard(Failure)
    assert ended.seconds < 15
    assert failure.container == GAMMA
    assert failure.why.startswith("it ended with status 3")
    assert failure.log[-1] == "the last line of ends"
    assert ids() == {}
    assert site.deployments().sets.get(1).state is State.FAILED


async def test_the_first_set_may_be_left_to_look_at(site: Site) -> None:
    image(GAMMA, "never")
    ended = await site.deployments(limit_s=3).up(keep=True)
    assert not ended.is_well
    assert set(ids()) == set(NAMES)
    image(GAMMA, "well")
    assert (await site.deployments().up()).is_well


async def test_a_setting_that_does_no_good_is_taken_back(site: Site) -> None:
    await site.deployments().up()
    configure(site.place, CATALOG, {"LUCID_BRINGUP_BETA_MEMORY": "6m"})
    ended = await site.deployments().up()
    assert not ended.is_well
    assert ended.brought.runs is not None
    assert inspect(BETA)["HostConfig"]["Memory"] == 64 * 2**20
    configure(site.place, CATALOG, {"LUCID_BRINGUP_BETA_MEMORY": "65m"})
    ended = await site.deployments().up()
    assert ended.brought.changed == (BETA,)
    assert inspect(BETA)["HostConfig"]["Memory"] == 65 * 2**20


async def test_a_secret_that_changes_starts_anew_who_gets_it(site: Site) -> None:
    show = ("exec", BETA, "/usr/bin/python3", "-c", f"print(open('/run/secrets/{TOKEN.name}').read())")
    await site.deployments().up()
    assert run(*show).strip() == ""
    give(site.place, CATALOG, TOKEN.name, Secret("s3cret of a test"))
    ended = await site.deployments().up()
    assert (ended.is_well, ended.brought.changed) == (True, (BETA,))
    assert run(*show).strip() == "s3cret of a test"
    assert "s3cret" not in str(inspect(BETA))
    assert (await site.deployments().up()).brought.changed == ()
    assert (await site.deployments().rollback()).brought.changed == (BETA,)
    assert run(*show).strip() == ""


async def test_killed_while_its_phase_starts(site: Site) -> None:
    for name in (BETA, GAMMA):
        image(name, "slow")
    coming = asyncio.create_task(site.deployments().up())
    await _until(lambda: any(BETA in seen.conditions for seen in site.heard(PhaseSeen)) and _pid(BETA) > 0)
    os.kill(_pid(BETA), signal.SIGKILL)
    ended = await coming
    (failure,) = site.heard(Failure)
    assert (failure.container, failure.why.partition(",")[0].startswith("it ended with status 137")) == (BETA, True)
    assert not ended.is_well
    assert (await site.deployments().up()).is_well


@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.5, 3.0])
async def test_the_command_is_killed(site: Site, after_s: float) -> None:
    for name in NAMES:
        image(name, "slow")
    process = _command("up", site)
    await _until((site.place.sets / "1").exists)
    await asyncio.sleep(after_s)
    process.kill()
    process.wait()
    ended = await site.deployments().up()
    assert ended.is_well
    assert set(ids()) == set(NAMES)
    assert [(one.number, one.state) for one in site.deployments().sets.all()] == [(1, State.COMPLETE)]


@pytest.mark.parametrize("after_s", [0.5, 1.5, 3.0])
async def test_an_upgrade_is_killed(site: Site, after_s: float) -> None:
    """What ran before is what `up` goes back to: new images are for `upgrade` to take."""
    await site.deployments().up()
    before = images()
    for name in NAMES:
        image(name, "slow")
    process = _command("upgrade", site)
    await _until((site.place.sets / "2").exists)
    await asyncio.sleep(after_s)
    process.kill()
    process.wait()
    assert (await site.deployments().up()).is_well
    assert images() == before
    assert [one.state for one in site.deployments().sets.all()] == [State.COMPLETE, State.FAILED]


async def test_a_rollback_is_killed(site: Site) -> None:
    for name in NAMES:
        image(name, "slow")
    await site.deployments().up()
    for name in NAMES:
        image(name, "well")
    await site.deployments().up(anew=True)
    second = images()
    process = _command("rollback", site)
    # It takes 2 s from here on, at least: what it goes back to is slow.
    await _until(lambda: run("ps", "--filter", f"name=^{ALPHA}$", "--filter", f"ancestor={second[ALPHA]}", "-q") == "")
    process.kill()
    process.wait()
    assert (await site.deployments().up()).is_well
    assert images() == second


async def test_what_an_interrupted_command_left_is_cleared_away(site: Site) -> None:
    await site.deployments().up()
    run("rename", BETA, f"abcdef012345_{BETA}")
    run("pause", GAMMA)
    ended = await site.deployments().up()
    assert set(ended.brought.changed) == {BETA, GAMMA}
    assert set(ids()) == set(NAMES)


async def test_there_and_back(site: Site) -> None:
    await site.deployments().up()
    before = images()
    configure(site.place, CATALOG, {"LUCID_BRINGUP_BETA_MEMORY": "65m"})
    for name in NAMES:
        image(name, "slow")
    await site.deployments().up(anew=True)
    assert not set(images().values()) & set(before.values())
    run("rmi", *(f"{PREFIX}{name}:test" for name in NAMES), check=False)
    ended = await site.deployments().rollback()
    assert (ended.is_well, ended.wanted.number if ended.wanted else 0) == (True, 1)
    assert images() == before
    assert inspect(BETA)["HostConfig"]["Memory"] == 64 * 2**20
    assert site.deployments().unsaid.all()[-1].act == "deployment.rolled-back"
    assert (await site.deployments().up()).brought.changed == ()
    assert (await site.deployments().rollback(to=2)).is_well
    assert inspect(BETA)["HostConfig"]["Memory"] == 65 * 2**20
    with pytest.raises(NotFound):
        await site.deployments().rollback(to=7)


async def test_a_container_that_is_no_more_in_the_catalog_goes(site: Site) -> None:
    await site.deployments().up()
    await site.deployments(without(GAMMA)).up()
    assert set(ids()) == {ALPHA, BETA}
    await site.deployments().rollback()
    assert set(ids()) == set(NAMES)


async def test_one_phase_at_a_time(site: Site) -> None:
    with pytest.raises(Unavailable, match="phase 1 is not healthy"):
        await site.deployments().up(only=2)
    first = await site.deployments().up(only=1)
    assert (first.is_well, first.is_whole, set(ids())) == (True, False, {ALPHA})
    with pytest.raises(NotFound):
        await site.deployments().rollback()
    second = await site.deployments().up(only=2)
    assert (second.is_well, second.is_whole) == (True, True)
    assert [(one.number, one.state) for one in site.deployments().sets.all()] == [(1, State.COMPLETE)]


async def test_down_and_restart(site: Site) -> None:
    await site.deployments().up()
    begun = inspect(BETA)["State"]["StartedAt"]
    assert (await site.deployments().restart(BETA)).brought.changed == (BETA,)
    assert inspect(BETA)["State"]["StartedAt"] != begun
    with pytest.raises(NotFound):
        await site.deployments().restart("nobody")
    ended = await site.deployments().down()
    assert ended.brought.changed[-1] == ALPHA
    assert ids() == {}
    assert (await site.deployments().down()).brought.changed == ()
    assert [event.act for event in site.deployments().unsaid.all()] == ["deployment.completed", "deployment.stopped"]


async def test_an_image_that_is_not_there(site: Site) -> None:
    run("rmi", "--force", f"{PREFIX}{BETA}:test")
    with pytest.raises(Unavailable, match=f"no image {PREFIX}{BETA}:test: `lucid images build`"):
        await site.deployments().up()
    assert ids() == {}


async def test_a_network_that_differs(site: Site) -> None:
    name, *_ = (network.name for network in CATALOG.networks)
    run("network", "rm", name, check=False)
    run("network", "create", "--internal", "--subnet", "172.30.99.0/24", name)
    try:
        with pytest.raises(Conflict, match="expected it not to be internal"):
            await site.deployments().up()
    finally:
        run("network", "rm", name)
