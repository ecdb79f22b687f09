"""`lucid deploy up` and what follows: status, logs, restart, down, upgrade, rollback, history."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from lucid.base.errors import InvalidInput
from lucid.cli import deploy_show
from lucid.cli.console import EXIT_FAILED, JsonOption, out, print_json, run, say, table, time_text
from lucid.cli.deploy_desk import (
    LIMIT_S,
    ContextOption,
    Desk,
    DirOption,
    HostOption,
    TimeoutOption,
    act,
    desk,
    fit,
    here_alone,
)
from lucid.verify.text import printable

if TYPE_CHECKING:
    from lucid.deploy.launch.condition import Condition
    from lucid.deploy.launch.deployments import Check, Ended
    from lucid.deploy.launch.record import Record
    from lucid.deploy.launch.sets import DeploymentSet

SkipOption = Annotated[bool, typer.Option("--skip-preflight", help="Do not look at the machine first.")]


def up(
    phase: Annotated[int | None, typer.Option("--phase", help="Only this phase; those before are healthy.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="If the first set ever fails, leave what was started, to look at it.")
    ] = False,
    timeout: TimeoutOption = LIMIT_S,
    skip_preflight: SkipOption = False,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Bring the platform up as it is configured, phase by phase, each when the one before is healthy.

    What runs as it should be is left alone. Images are those that ran before; `upgrade` takes new ones. If a phase
    does not get healthy, the deployment that ran before is put back.
    """

    async def work(there: Desk) -> "Ended":
        return await there.deployments.up(only=phase, keep=keep, check=_check(there, skip_preflight))

    act(work, deploy_dir, context, host, timeout, json=json)


def upgrade(
    pull: Annotated[bool, typer.Option("--pull", help="Fetch the images from their registry first.")] = False,
    timeout: TimeoutOption = LIMIT_S,
    skip_preflight: SkipOption = False,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Bring the platform up with the images that their names stand for now.

    If a phase does not get healthy, the images that ran before are put back.
    """

    async def work(there: Desk) -> "Ended":
        return await there.deployments.up(anew=True, pull=pull, check=_check(there, skip_preflight))

    act(work, deploy_dir, context, host, timeout, json=json)


def _check(there: Desk, skip: bool) -> "Check | None":
    return None if skip else lambda images: fit(there, images=images)


def rollback(
    to: Annotated[int | None, typer.Option("--to", help="Number of a set; default: the one before.")] = None,
    timeout: TimeoutOption = LIMIT_S,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Bring up an earlier deployment exactly as it ran: its files, its settings, its images."""
    act(lambda there: there.deployments.rollback(to), deploy_dir, context, host, timeout, json=json)


def restart(
    name: Annotated[str | None, typer.Argument(help="A container; none: all, phase by phase.")] = None,
    timeout: TimeoutOption = LIMIT_S,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Restart containers, and wait until they are healthy."""
    act(lambda there: there.deployments.restart(name), deploy_dir, context, host, timeout, json=json)


def down(
    deploy_dir: DirOption = None, context: ContextOption = "", host: HostOption = "", json: JsonOption = False
) -> None:
    """Stop and remove the containers. Data, settings and networks stay; `up` brings the same back."""
    act(lambda there: there.deployments.down(), deploy_dir, context, host, LIMIT_S, json=json)


def status(
    deploy_dir: DirOption = None, context: ContextOption = "", host: HostOption = "", json: JsonOption = False
) -> None:
    """How each container is. Exit status 1 unless all are healthy."""
    from lucid.deploy.launch.condition import look
    from lucid.deploy.launch.sets import State

    async def work() -> "tuple[DeploymentSet | None, bool, dict[str, Condition]]":
        there = await desk(deploy_dir, context, host)
        sets = there.deployments.sets
        every, current = sets.all(), sets.current()
        shown = current or (every[-1] if every else None)
        begun = bool(every) and every[-1].state is State.WANTED
        return shown, begun, await look(there.engine, shown.containers) if shown else {}

    shown, begun, now = run(work())
    rows = [] if shown is None else _rows(shown, now)
    is_well = bool(rows) and not begun and all(row["ready"] and row["of_set"] for row in rows)
    if json:
        print_json({"set": shown.number if shown else None, "well": is_well, "begun": begun, "containers": rows})
    elif shown is None:
        say("Nothing was deployed yet. Bring it up with:  lucid deploy up")
    else:
        lines = table("", "#PHASE", "CONTAINER", "STATE", "SINCE (UTC)", "#RESTARTS", "IMAGE")
        for row in rows:
            image = row["image"] if row["of_set"] else f"{row['image']} (not of the set)"
            sign = deploy_show.mark(now.get(row["container"]))
            since = time_text(row["since"])
            lines.add_row(sign, str(row["phase"]), row["container"], row["state"], since, str(row["restarts"]), image)
        say(f"Set {shown.number} of {time_text(shown.time)}, Lucid {shown.lucid}, {shown.state}")
        out.print(lines)
        if begun:
            say("A deployment was interrupted. Go on with:  lucid deploy up")
    if not is_well:
        raise typer.Exit(EXIT_FAILED)


def _rows(shown: "DeploymentSet", now: "dict[str, Condition]") -> list[dict[str, Any]]:
    rows = []
    for phase in shown.phases:
        for name in phase.containers:
            one = now.get(name)
            rows.append(
                {
                    "phase": phase.number,
                    "container": name,
                    "ready": one is not None and one.is_ready,
                    "state": one.text if one else "not there",
                    "since": one.started if one and one.status == "running" else "",
                    "restarts": one.restarts if one else 0,
                    "image": shown.images[name].pinned,
                    "image_id": one.image if one else "",
                    "of_set": one is None or one.image == shown.images[name].id,
                }
            )
    return rows


def logs(
    name: Annotated[str, typer.Argument(help="A container.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what it writes, until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", min=0, max=1_000_000, help="Lines from the end.")] = 100,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """What a container wrote. With --json each line is an object of container, time and line."""

    async def work() -> None:
        from lucid.deploy.launch.engine import Command

        there = await desk(deploy_dir, context, host)
        known = {piece.name for piece in there.catalog.pieces}
        if name not in known:
            raise InvalidInput(f"NAME: no container {name!r}; `lucid deploy status` lists them")
        options = ("--tail", str(tail), *(("--follow",) if follow else ()), *(("--timestamps",) if json else ()))
        async for line in there.engine.lines(Command(("logs", *options, name))):
            if json:
                time, _, text = line.partition(" ")
                deploy_show.print_line({"container": name, "time": time, "line": text})
            else:
                say(printable(line))

    run(work())


def history(
    deploy_dir: DirOption = None, context: ContextOption = "", host: HostOption = "", json: JsonOption = False
) -> None:
    """What was deployed when, by whom, and what became of it."""

    from lucid.deploy.launch.place import Place
    from lucid.deploy.launch.record import History
    from lucid.deploy.launch.sets import Sets

    async def work() -> "tuple[list[Record], set[int]]":
        here_alone(context, host)
        place = Place.load(deploy_dir)
        return History(place.history).all(), {one.number for one in Sets(place.sets).all()}

    records, sets = run(work())
    if json:
        print_json([record.model_dump(mode="json") | {"kept": record.set in sets} for record in records])
        return
    rows = table("TIME (UTC)", "ACT", "#SET", "#RUNS", "BY", "#SECONDS", "#STARTED", "")
    for record in records:
        act = record.act.removeprefix("deployment.")
        note = printable(record.reason) if record.set in sets else f"{printable(record.reason)} (not kept)".strip()
        rows.add_row(
            time_text(record.time),
            act,
            str(record.set),
            str(record.runs or "-"),
            printable(record.by),
            f"{record.seconds:.1f}",
            str(len(record.changed)),
            escape(note),
        )
    out.print(rows)
