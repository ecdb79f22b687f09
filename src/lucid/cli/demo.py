"""`lucid demo`: a recorded and proven session, shown as it happens."""

import shlex
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lucid.base.errors import InvalidInput
from lucid.cli.console import command_name, data_dir, err, out, run, running_platform, say, size_text, table

if TYPE_CHECKING:
    from lucid.runtime.demo import DemoResult
    from lucid.runtime.export import PortSource
    from lucid.runtime.paths import DataDir


def _results(result: "DemoResult") -> None:
    rows = table("", "")
    rows.add_row("session", result.session)
    rows.add_row("frames", f"{result.frames:,}")
    rows.add_row("recorded", f"{size_text(result.recorded_bytes)} of RDP in {result.duration_s:.1f} s")
    ratio = result.recorded_bytes / max(1, result.stored_bytes)
    rows.add_row("stored", f"{size_text(result.stored_bytes)}, compressed {ratio:.1f} : 1 and encrypted")
    whole = ", with this demo's own client and desktop" if result.same_process else ""
    rows.add_row("CPU", f"{result.cpu_s:.2f} s for gateway, recorder and log{whole}")
    rows.add_row("chunks", str(result.chunks))
    rows.add_row("block", f"height {result.block_height}, {result.log_size} entries in the log")
    mark = "[green]✓ verified[/green]" if result.verified else "[red]✗ not verified[/red]"
    rows.add_row("proof", f"{mark} offline in {result.verify_ms:.0f} ms, {result.steps} steps")
    if result.picture:
        rows.add_row("picture", "last-picture.png, beside the exported files")
    out.print(Panel(rows, title="Recorded, sealed, anchored, verified", title_align="left", expand=False))


def _next_steps(result: "DemoResult", data: "DataDir") -> None:
    lucid = command_name(data)
    steps = (
        (
            "check the recording yourself; then change a byte of a chunk and try again:",
            f"cd {shlex.quote(str(result.export.folder))}",
        ),
        ("", f"{lucid} verify bundle.json --recording chunks --key log.key"),
        ("every recording:", f"{lucid} session ls"),
        ("record your own desktop, in another terminal:", f"{lucid} host add office 192.0.2.7 --username me"),
        ("", f"{lucid} connect office"),
    )
    out.print("\nNext:")
    for what, command in steps:
        if what:
            out.print(f"  {what}", style="dim")
        say(f"    {command}")
    out.print()


async def show_demo(platform: "PortSource", data: "DataDir", pid: int) -> bool:
    """Play the demo with progress on the terminal and the results as a table; whether the proof verified.
    `pid`: the platform's process."""
    from lucid.runtime.demo import play_demo

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        task = bar.add_task("Starting", total=1.0)

        def show(step: str, done: float) -> None:
            bar.update(task, description=step, completed=done)

        result = await play_demo(platform, data, pid, show)
    _results(result)
    _next_steps(result, data)
    return result.verified


def demo() -> None:
    """Record a short desktop session through the gateway of the running platform, and prove it.

    A headless RDP client connects to a small built-in desktop that replays a recording of a real one, so that
    nothing else is needed on this machine.
    """

    async def work() -> bool:
        async with running_platform() as platform:
            if not platform.pid:
                raise InvalidInput(
                    "the demonstration's desktop is on this machine's own address, which services apart do not reach; "
                    "`lucid up --demo` starts a platform for it"
                )
            return await show_demo(platform, data_dir(), platform.pid)

    if not run(work()):
        raise SystemExit(1)
