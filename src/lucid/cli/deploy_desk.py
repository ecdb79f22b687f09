"""What the commands that run a deployment share: which one, on which engine, and telling the platform of it."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import lucid
from lucid.base.clock import SystemClock
from lucid.base.errors import InvalidInput, LucidError, Unavailable
from lucid.cli import deploy_show
from lucid.cli.console import EXIT_FAILED, run, say

if TYPE_CHECKING:
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch.deployments import Deployments, Ended
    from lucid.deploy.launch.engine import Engine
    from lucid.deploy.launch.place import Place
    from lucid.ports.access import AuditEvent

TELL_LIMIT_S = 20.0
"""How long the platform is waited for until it has taken an event."""

ELSEWHERE = (
    "--context, --host: secrets and folders are on the machine that containers run on; name it by ssh, as in "
    "`--host ssh://root@pi`"
)

LIMIT_S = 180.0
"""What a phase may take to get healthy, in seconds."""

DirOption = Annotated[
    Path | None, typer.Option("--deploy-dir", help="Folder of the deployment.", show_default="LUCID_DEPLOY_DIR")
]
ContextOption = Annotated[
    str, typer.Option("--context", help="Do it on another machine, by its Docker context.", show_default=False)
]
HostOption = Annotated[
    str, typer.Option("--host", help="Do it on another machine, such as ssh://root@pi.", show_default=False)
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=1, max=3600, help="Seconds that a phase may take to get healthy.")
]


def where(context: str, host: str) -> tuple[str, ...]:
    """The engine's options for another machine. Raises InvalidInput for both."""
    if context and host:
        raise InvalidInput("--context, --host: expected one of them")
    return ("--context", context) if context else ("--host", host) if host else ()


def here_alone(context: str, host: str) -> None:
    """Raises InvalidInput for an engine elsewhere: one that ssh leads to was called there instead."""
    if where(context, host):
        raise InvalidInput(ELSEWHERE)


def alone(work: "Callable[[Place], None]", deploy_dir: Path | None, context: str, host: str) -> "Place":
    """Do something to the settings of this machine's deployment while no other command is at work on it. An expected
    error becomes one line and the exit status."""
    from lucid.deploy.launch import lock
    from lucid.deploy.launch.place import Place

    async def whole() -> Place:
        here_alone(context, host)
        place = Place.load(deploy_dir)
        # At boot the disk is read-only for what unlocks, and nobody else is at work.
        may_wait = os.access(place.encrypted_dir, os.W_OK)
        async with lock.locked(place.lock, wait_s=lock.WAIT_S) if may_wait else nullcontext():
            work(place)
        return place

    return run(whole())


@dataclass(frozen=True)
class Desk:
    """What the commands work with."""

    engine: "Engine"
    place: "Place"
    catalog: "Catalog"
    deployments: "Deployments"
    show: deploy_show.Display


async def desk(
    deploy_dir: Path | None,
    context: str,
    host: str,
    *,
    limit_s: float = LIMIT_S,
    show: deploy_show.Display | None = None,
) -> Desk:
    """Raises InvalidInput, Unavailable."""
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.launch.deployments import Deployments
    from lucid.deploy.launch.engine import find_engine
    from lucid.deploy.launch.phases import Rules
    from lucid.deploy.launch.place import Place
    from lucid.deploy.launch.preparing import complete, unlock

    catalog, place, engine = Catalog(), Place.load(deploy_dir), await find_engine(where(context, host))

    async def opener(there: "Place") -> None:
        if there.deploy_dir == place.deploy_dir:
            await asyncio.to_thread(complete, there, catalog)
        else:
            await asyncio.to_thread(unlock, there, catalog, older=True)

    show = show or deploy_show.Silent()
    deployments = Deployments(
        engine=engine,
        place=place,
        catalog=catalog,
        opener=opener,
        show=show,
        clock=SystemClock(),
        lucid=lucid.__version__,
        rules=Rules(limit_s=limit_s),
    )
    return Desk(engine, place, catalog, deployments, show)


def act(
    work: Callable[[Desk], Coroutine[Any, Any, "Ended"]],
    deploy_dir: Path | None,
    context: str,
    host: str,
    limit_s: float,
    *,
    json: bool,
) -> None:
    """Do it on this machine, show it, tell the platform of it, and leave with exit status 1 if it failed."""

    async def whole() -> "tuple[Ended, LucidError | None]":
        with deploy_show.display(json=json) as show:
            there = await desk(deploy_dir, context, host, limit_s=limit_s, show=show)
            if not there.engine.is_local:
                raise InvalidInput(ELSEWHERE)
            ended = await work(there)
        return ended, await tell(there, ended)

    ended, untold = run(whole())
    waiting = f"the log will be told of it later: {untold.detail}" if untold else ""
    if json:
        deploy_show.print_line(document(ended, waiting))
    else:
        say(conclusion(ended))
        if waiting:
            say(waiting)
    if not ended.is_well:
        raise typer.Exit(EXIT_FAILED)


async def fit(there: Desk, *, images: bool) -> None:
    """Raises Unavailable unless the machine is fit for the deployment. Whether the images of their names are there
    matters only if `images` are looked up by name."""
    from lucid.deploy.launch.preflight import preflight
    from lucid.deploy.launch.progress import Step

    checks = await preflight(there.place, there.engine, there.catalog)
    for check in checks:
        if check.state == "warning":
            there.show(Step(f"preflight: {check.name}: {check.detail}"))
    failed = [check for check in checks if check.state == "failed" and (images or check.name != "images")]
    if failed:
        said = "; ".join(f"{check.name}: {check.detail} ({check.remedy})" for check in failed)
        raise Unavailable(f"preflight: {said}; --skip-preflight goes on all the same")


def document(ended: "Ended", waiting: str) -> dict[str, Any]:
    """The end of an act as the last line of JSON."""
    runs, failure = ended.brought.runs, ended.brought.failure
    return {
        "event": "ended",
        "well": ended.is_well,
        "set": ended.wanted.number if ended.wanted else None,
        "runs": runs.number if runs else None,
        "whole": ended.is_whole,
        "changed": list(ended.brought.changed),
        "seconds": round(ended.seconds, 2),
        "reason": failure.reason if failure else "",
        "trouble": ended.brought.trouble,
        "log": waiting or "told",
    }


def conclusion(ended: "Ended") -> str:
    """The end of an act in a sentence."""
    brought, seconds = ended.brought, f"{ended.seconds:.1f} s"
    if brought.failure is None:
        if not ended.is_whole:
            return f"Done, {seconds}. Not all phases run yet: lucid deploy up"
        if brought.runs is None:
            return f"{len(brought.changed)} containers stopped and removed, {seconds}. Data and settings stay."
        number = brought.runs.number
        if not brought.changed:
            return f"Set {number} runs, and all of it is healthy: nothing to change ({seconds})."
        return f"Set {number} runs, and all of it is healthy: {len(brought.changed)} started, {seconds}."
    if brought.runs is not None:
        return f"Failed. Set {brought.runs.number}, which ran before, is back and healthy. {seconds}"
    if brought.trouble:
        return f"Failed, and what ran before could not be put back: {brought.trouble}"
    return f"Failed, and no whole set runs now. {seconds}"


async def tell(there: Desk, ended: "Ended") -> LucidError | None:
    """Tell the platform what it has not been told of its deployments; returns why that could not be."""
    from lucid.catalog.types import PI_NETWORK
    from lucid.deploy import variables
    from lucid.deploy.launch import lock
    from lucid.ports.access import Audit
    from lucid.runtime.client import RemotePlatform, write_deployment
    from lucid.runtime.paths import DataDir

    if not there.deployments.unsaid.all():
        return None
    if ended.brought.runs is None:
        return Unavailable("the platform does not run")
    values = there.place.values(there.catalog)
    data = DataDir(Path(values[variables.DATA_ROOT.name]))
    secrets = Path(values[variables.SECRETS_DIR.name])

    async def record(event: "AuditEvent") -> None:
        try:
            async with asyncio.timeout(TELL_LIMIT_S), RemotePlatform.of(data) as platform:
                await platform.port(Audit).record(event=event)
        except TimeoutError:
            raise Unavailable(f"no answer within {TELL_LIMIT_S:g} s") from None

    write_deployment(
        data,
        docker=there.engine.docker,
        network=PI_NETWORK,
        keys_dir=secrets / "keys",
        public_keys_dir=Path(values[variables.PUBLIC_KEYS_DIR.name]),
    )
    try:
        async with lock.locked(there.place.lock, wait_s=0):
            return await there.deployments.unsaid.say(record)
    except Unavailable as error:  # whoever is at work tells it, after what that command does
        return error
