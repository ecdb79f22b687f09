"""Starting one phase, and waiting until it is healthy."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lucid.base.errors import Unavailable
from lucid.deploy.compose import PROJECT
from lucid.deploy.launch.changes import Changes, watching
from lucid.deploy.launch.condition import Condition, fault, look, of_project
from lucid.deploy.launch.engine import Command, Done, Engine
from lucid.deploy.launch.progress import Failure, PhaseBegun, PhaseReady, PhaseSeen, Show
from lucid.deploy.launch.sets import SetPhase

POLL_S = 2.0
LOG_LINES = 20
LIMIT_S = 180.0
"""Of a phase. A container that the engine finds unhealthy, after its start period and three probes, is not waited for
any longer."""

_STOP_S = 60.0


@dataclass(frozen=True)
class Rules:
    """How a phase is waited for: its time-out, and how often containers are looked at although nothing was told to have
    changed, in seconds."""

    limit_s: float = LIMIT_S
    poll_s: float = POLL_S


class PhaseFailed(Exception):
    """A phase did not get healthy."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def compose(folder: Path, environment: Sequence[Path], phase: SetPhase, *arguments: str, limit_s: float) -> Command:
    """A Compose command for one phase of the set in `folder`. Orphans are the containers of the other phases."""
    given = (part for path in environment for part in ("--env-file", str(path)))
    files = (part for name in phase.files for part in ("-f", str(folder / name)))
    words = ("compose", "--progress", "plain", "-p", PROJECT, *given, *files, *arguments)
    return Command(words, {"COMPOSE_IGNORE_ORPHANS": "true"}, limit_s=limit_s)


def up(folder: Path, environment: Sequence[Path], phase: SetPhase, limit_s: float) -> Command:
    """Start the phase: only what differs is made anew. Images are there, or it is an error."""
    arguments = ("up", "--detach", "--no-build", "--pull", "never")
    return compose(folder, environment, phase, *arguments, limit_s=limit_s)


def make(folder: Path, environment: Sequence[Path], phase: SetPhase, limit_s: float) -> Command:
    """Make those containers of the phase that there are not, without starting them."""
    arguments = ("create", "--no-recreate", "--no-build", "--pull", "never")
    return compose(folder, environment, phase, *arguments, limit_s=limit_s)


async def start(
    engine: Engine,
    phase: SetPhase,
    command: Command,
    show: Show,
    rules: Rules,
    has_begun: Callable[[], None] = lambda: None,
) -> tuple[str, ...]:
    """Start a phase and wait until all of it is healthy; returns the containers that were started. `has_begun` is
    called when the command is through and health alone is waited for. Raises PhaseFailed as soon as one of them will
    not get there, and Unavailable when the engine does not answer."""
    show(PhaseBegun(phase.number, phase.title, phase.containers))
    await settle(engine, phase.containers)
    before = await look(engine, phase.containers)
    begun = time.monotonic()
    starting = asyncio.create_task(engine.run(command), name=f"phase {phase.number}")
    try:
        async with asyncio.timeout(rules.limit_s), watching(engine) as changes:
            starting.add_done_callback(lambda _: changes.set())
            starting.add_done_callback(lambda _: has_begun())
            now = await _until_ready(engine, phase, starting, changes, before, show, rules)
    except TimeoutError:
        raise PhaseFailed(await _too_late(engine, phase, rules)) from None
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Unavailable):
            await starting
    changed = tuple(name for name, one in now.items() if name not in before or before[name].started != one.started)
    show(PhaseReady(phase.number, time.monotonic() - begun, changed))
    return changed


async def _until_ready(
    engine: Engine,
    phase: SetPhase,
    starting: "asyncio.Task[Done]",
    changes: Changes,
    before: Mapping[str, Condition],
    show: Show,
    rules: Rules,
) -> dict[str, Condition]:
    begun = time.monotonic()
    seen: dict[str, str] = {}
    while True:
        started = starting.done()
        changes.clear()
        now = await look(engine, phase.containers)
        if {name: one.text for name, one in now.items()} != seen:
            seen = {name: one.text for name, one in now.items()}
            show(PhaseSeen(phase.number, now, time.monotonic() - begun))
        for name, one in now.items():
            if why := fault(one, before.get(name)):
                raise PhaseFailed(await describe(engine, phase, one, why))
        if started:
            if (done := starting.result()).status != 0:
                raise PhaseFailed(Failure(phase.number, _said(done)))
            if now.keys() >= set(phase.containers) and all(one.is_ready for one in now.values()):
                return now
        await changes.wait(rules.poll_s)


def _said(done: Done) -> str:
    """What Compose complained of: its last line, without what comes before the engine's own words."""
    return done.reason.removeprefix("Error response from daemon: ")


async def _too_late(engine: Engine, phase: SetPhase, rules: Rules) -> Failure:
    why = f"not healthy after {rules.limit_s:g} s"
    now = await look(engine, phase.containers)
    for name in phase.containers:
        if name in now and not now[name].is_ready:
            return await describe(engine, phase, now[name], why)
    missing = next((name for name in phase.containers if name not in now), "")
    return Failure(phase.number, why, container=missing)


async def describe(engine: Engine, phase: SetPhase, one: Condition, why: str) -> Failure:
    """A failure with all that helps to understand it."""
    try:
        log = await last_lines(engine, one.name, LOG_LINES)
    except Unavailable as error:
        log = (f"(no log: {error.detail})",)
    return Failure(phase.number, why, container=one.name, condition=one, log=log)


async def last_lines(engine: Engine, name: str, count: int) -> tuple[str, ...]:
    """The last lines that a container wrote, on both of its streams, in their order. Raises Unavailable."""
    done = await engine.run(Command(("logs", "--timestamps", "--tail", str(count), name)))
    if done.status != 0:
        raise Unavailable(done.reason)
    lines = sorted((done.out + done.err).splitlines(), key=lambda line: line.partition(" ")[0])
    return tuple(line.partition(" ")[2] for line in lines[-count:])


async def settle(engine: Engine, containers: Iterable[str]) -> None:
    """Remove what an interrupted command left and Compose would stumble over: containers for our services under other
    names, and those that are paused or dead. Stop those that are not healthy, so that they are started again. Their
    data is on the host. Raises Unavailable."""
    names = set(containers)
    misnamed = [name for name, service in (await of_project(engine)).items() if service in names and name != service]
    now = await look(engine, names)
    stuck = [one.name for one in now.values() if one.status in {"paused", "dead", "removing"}]
    sick = [one.name for one in now.values() if one.status == "running" and one.health == "unhealthy"]
    if gone := [*misnamed, *stuck]:
        await engine.run(Command(("rm", "--force", *gone), limit_s=_STOP_S))
    if sick:
        await engine.run(Command(("stop", *sick), limit_s=_STOP_S))


async def remove(engine: Engine, phases: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Stop and remove containers, group after group; returns those that there were. Raises Unavailable."""
    removed: list[str] = []
    for group in phases:
        there = list(await look(engine, group))
        if there:
            await engine.text("stop", *there, limit_s=_STOP_S)
            await engine.text("rm", "--force", *there, limit_s=_STOP_S)
        removed += there
    return tuple(removed)
