"""`lucid verify`: the offline verifier with colours and a progress bar."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lucid.base.errors import InvalidInput
from lucid.cli.console import JsonOption, err, fail, out, print_json, table
from lucid.verify.files import Paths, verify_paths
from lucid.verify.report import Outcome, Report
from lucid.verify.text import MARKS, duration_text, exit_status, printable, verdict

COLOURS: dict[Outcome, str] = {"ok": "green", "failed": "red", "skipped": "dim"}


def verify_files(
    *,
    key: str,
    bundle: Path | None = None,
    recording: Path | None = None,
    identity: Path | None = None,
    shares: Path | None = None,
    log: Path | None = None,
    checkpoint: Path | None = None,
    now: str | None = None,
    strict: bool = False,
    json: bool = False,
) -> None:
    """Verify, print the report, and leave with status 1 when a step failed, 2 for bad input."""
    paths = Paths(
        bundle=bundle,
        key=key,
        recording=recording,
        identity=identity,
        shares=shares,
        log=log,
        checkpoint=checkpoint,
        now=now,
        strict=strict,
    )
    try:
        report = _with_progress(paths)
    except InvalidInput as error:
        fail(InvalidInput(printable(error.detail)))
    if json:
        print_json(report.to_json())
    else:
        _print(report)
    if status := exit_status(report):
        raise typer.Exit(status)


def verify(
    key: Annotated[str, typer.Option("--key", help="The log's verifier key, or a file that holds it.")],
    bundle: Annotated[
        Path | None, typer.Argument(help="Proof bundle. Without one, the log given by --log is verified alone.")
    ] = None,
    recording: Annotated[Path | None, typer.Option("--recording", help="Folder of the chunk files.")] = None,
    identity: Annotated[Path | None, typer.Option("--identity", help="age identity that opens the recording.")] = None,
    shares: Annotated[
        Path | None, typer.Option("--shares", help="Keys of recipients that were added later: shares.json.")
    ] = None,
    log: Annotated[Path | None, typer.Option("--log", help="Folder with a copy of the whole log.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Checkpoint of the log that you kept from before.")
    ] = None,
    now: Annotated[
        str | None, typer.Option("--now", help="Warn of what was due in the log before this UTC time.", metavar="TIME")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A step that warns fails.")] = False,
    json: JsonOption = False,
) -> None:
    """Verify a recorded session offline: that it is complete, unaltered and in the log.

    Exit status: 0 verified, 1 a step failed, 2 the input could not be read.
    """
    verify_files(
        bundle=bundle,
        key=key,
        recording=recording,
        identity=identity,
        shares=shares,
        log=log,
        checkpoint=checkpoint,
        now=now,
        strict=strict,
        json=json,
    )


def _with_progress(paths: Paths) -> Report:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        tasks = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done)

        return verify_paths(paths, show)


def _print(report: Report) -> None:
    rows = table("", "#STEP", "NAME", "#TIME", "FOUND")
    for step in report.steps:
        colour = COLOURS[step.outcome]
        rows.add_row(
            f"[{colour}]{MARKS[step.outcome]}[/{colour}]",
            str(step.number),
            step.name,
            duration_text(step),
            f"[{colour}]{escape(printable(step.detail))}[/{colour}]",
        )
        for warning in step.warnings:
            rows.add_row("[yellow]![/yellow]", "", "", "", f"[yellow]{escape(printable(warning))}[/yellow]")
    out.print(rows)
    colour = "green" if report.verified else "red"
    out.print(f"[bold {colour}]{escape(verdict(report))}[/bold {colour}]", soft_wrap=True, highlight=False)
