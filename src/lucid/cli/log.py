"""`lucid log`: the tamper-evident log."""

import sys
from typing import Annotated

import typer
from rich.markup import escape

from lucid.base.errors import NotFound
from lucid.cli.console import (
    EXIT_FAILED,
    JsonOption,
    data_dir,
    err,
    out,
    print_json,
    run,
    running_platform,
    short_id,
    table,
    time_text,
)
from lucid.model.entry import LogEntry
from lucid.ports.log import LogStore, LogWriter

app = typer.Typer(help="The tamper-evident log: status, entries, check.", no_args_is_help=True)


@app.command("status")
def status(json: JsonOption = False) -> None:
    """Show size, block height, key and newest checkpoint."""

    async def work() -> None:
        async with running_platform() as platform:
            state = await platform.port(LogWriter).status()
        if json:
            print_json(state.model_dump(mode="json"))
            return
        rows = table("", "")
        rows.add_row("origin", state.origin)
        rows.add_row("entries", f"{state.size} ({state.pending} waiting for the next block)")
        rows.add_row("block height", str(state.height))
        rows.add_row("slot", f"{state.slot_ms} ms")
        rows.add_row("tiles", str(data_dir().of("block-manager")))
        out.print(rows)
        typer.echo(f"\nKey, which auditors need from you, not from a recording:\n\n{state.key}")
        if state.checkpoint:
            out.print("\nCheckpoint, to keep somewhere else: it shows later that the log only grew.\n")
            typer.echo(state.checkpoint)

    run(work())


@app.command("checkpoint")
def checkpoint(json: JsonOption = False) -> None:
    """Print the newest checkpoint alone, to be kept in a file."""

    async def work() -> None:
        async with running_platform() as platform:
            state = await platform.port(LogWriter).status()
        if not state.checkpoint:
            raise NotFound("the log is empty yet")
        if json:
            print_json({"checkpoint": state.checkpoint})
        else:
            sys.stdout.write(state.checkpoint)

    run(work())


@app.command("key")
def key(json: JsonOption = False) -> None:
    """Print the log's verifier key, which auditors need: give it to them yourself."""

    async def work() -> None:
        async with running_platform() as platform:
            state = await platform.port(LogWriter).status()
        if json:
            print_json({"key": state.key})
        else:
            typer.echo(state.key)

    run(work())


@app.command("entries")
def entries(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many of the newest.")] = 20,
    json: JsonOption = False,
) -> None:
    """List the newest entries."""

    async def work() -> None:
        async with running_platform() as platform:
            store = platform.port(LogStore)
            size = (await store.state()).size
            found = [(i, await store.entry(index=i)) for i in range(max(0, size - count), size)]
        parsed = [(i, LogEntry.from_bytes(data)) for i, data in found]
        if json:
            print_json([{"index": i, **entry.model_dump(mode="json", exclude_none=True)} for i, entry in parsed])
            return
        rows = table("#INDEX", "TIME", "TYPE", "SESSION", "BODY")
        for i, entry in parsed:
            session = short_id(entry.session) if entry.session else ""
            rows.add_row(str(i), time_text(entry.time), entry.type, session, entry.body[:12])
        out.print(rows)

    run(work())


@app.command("fsck")
def fsck(json: JsonOption = False) -> None:
    """Derive every tile, root and block again from the entries. Exit status 1 when something does not fit."""

    async def work() -> bool:
        async with running_platform() as platform:
            with err.status("Reading the whole log…"):
                report = await platform.port(LogStore).fsck()
        if json:
            print_json(report.model_dump(mode="json"))
        else:
            for problem in report.problems:
                out.print(f"[red]✗[/red] {escape(problem)}")
            mark = "[red]✗ damaged[/red]" if report.problems else "[green]✓ sound[/green]"
            found = f"{report.entries} entries, {report.blocks} blocks, {report.tiles} tiles, root {report.root}"
            out.print(f"{mark}: {found}", soft_wrap=True)
        return not report.problems

    if not run(work()):
        raise typer.Exit(EXIT_FAILED)
