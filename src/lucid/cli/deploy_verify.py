"""`lucid deploy verify`: what runs, against what the catalog says."""

import os
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lucid.cli.console import EXIT_FAILED, JsonOption, out, print_json, run, table
from lucid.cli.deploy_desk import ContextOption, DirOption, HostOption, desk

if TYPE_CHECKING:
    from lucid.deploy.launch.checks import Failure, Result

MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]"}


def verify(
    phase: Annotated[
        int | None, typer.Option("--phase", min=1, max=4, help="Only the containers up to this phase; default: all.")
    ] = None,
    deploy_dir: DirOption = None,
    context: ContextOption = "",
    host: HostOption = "",
    json: JsonOption = False,
) -> None:
    """Check what runs against the catalog: identity, shell, read-only root, capabilities, isolation of networks in both
    directions, mounts, health, ports, limits, logs, secrets. Exit status 1 when something is not as it has to be."""
    from lucid.deploy.launch.verify import verify as look

    async def work() -> "list[Result]":
        there = await desk(deploy_dir, context, host)
        values = there.place.values(there.catalog)
        if there.deployments.sets.current() is None:  # by Compose alone: what the shell has wins over environment files
            values |= os.environ
        return await look(there.engine, there.catalog, values, phases=phase)

    results = run(work())
    if json:
        print_json({"verified": not any(result.failures for result in results), "checks": [*map(_document, results)]})
    else:
        _print(results)
    if any(result.failures for result in results):
        raise typer.Exit(EXIT_FAILED)


def _document(result: "Result") -> dict[str, object]:
    return {
        "check": result.name,
        "about": result.about,
        "ok": not result.failures,
        "looked": result.looked,
        "failures": [{"where": failure.where, "problem": failure.problem} for failure in result.failures],
    }


def _print(results: "list[Result]") -> None:
    rows = table("", "CHECK", "#LOOKED AT", "FOUND")
    for result in results:
        rows.add_row(
            MARKS[not result.failures], result.name, str(result.looked), result.about if not result.failures else ""
        )
        for problem, names in _grouped(result.failures):
            rows.add_row("", "", "", f"{escape(problem)}: [red]{escape(', '.join(names))}[/red]")
    out.print(rows)
    failed = sum(1 for result in results if result.failures)
    out.print(f"{len(results)} checks, {failed} failed." if failed else f"{len(results)} checks, all as it has to be.")


def _grouped(failures: "tuple[Failure, ...]") -> list[tuple[str, list[str]]]:
    """What is wrong, with where it is: one fault in twenty containers is one line."""
    ordered = sorted(failures, key=lambda failure: failure.problem)
    return [
        (problem, [failure.where for failure in group])
        for problem, group in groupby(ordered, key=lambda failure: failure.problem)
    ]
