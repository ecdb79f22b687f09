"""`lucid up` and `lucid serve`: the platform in one process, or one service of it alone."""

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape
from rich.panel import Panel

from lucid.base.errors import LucidError
from lucid.cli.console import EXIT_FAILED, err, fail, options, out
from lucid.runtime.running import log_as, run, stop_event, unless_stopped

if TYPE_CHECKING:
    from lucid.runtime.platform import Platform
    from lucid.runtime.settings import RuntimeSettings

EXIT_INTERRUPTED = 130

DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of all data and keys.", show_default="XDG data folder")
]
LogJson = Annotated[bool, typer.Option("--json", help="Log one JSON object a line.")]


def _settings(data_dir: Path | None) -> "RuntimeSettings":
    """The runtime's settings; `data_dir` given to the command wins over the one before it."""
    from lucid.runtime.settings import RuntimeSettings

    options.data_dir = data_dir.absolute() if data_dir else options.data_dir
    return RuntimeSettings.load(**({"data_dir": options.data_dir} if options.data_dir else {}))


async def _welcome(platform: "Platform") -> None:
    from lucid.ports.access import Door, Gateway

    endpoint, door = await platform.port(Gateway).endpoint(), await platform.port(Door).endpoint()
    lines = [
        f"RDP gateway   [bold]{endpoint.address}:{endpoint.port}[/bold]",
        f"API           [bold]{escape(door.url)}/api/v1[/bold]",
        f"data          {escape(str(platform.data.root))}",
    ]
    if platform.administrator_password is not None:
        password = escape(platform.administrator_password.reveal())
        lines.append(f"administrator [bold]admin[/bold], password [bold]{password}[/bold]  (shown only this once)")
    out.print(Panel("\n".join(lines), title="Lucid is running", title_align="left", expand=False))


async def _run(settings: "RuntimeSettings", *, play_demo: bool) -> int:
    from lucid.runtime.collecting import not_collecting, settled

    stop = stop_event()
    with not_collecting():
        from lucid.runtime.platform import Platform

        platform = Platform(settings)
        await unless_stopped(stop, platform.start())
    settled()
    if stop.is_set() and platform.administrator_password is None:  # which else would never be seen
        await platform.stop()
        return EXIT_INTERRUPTED
    status = 0
    try:
        await _welcome(platform)
        if play_demo:
            status = await _demo_until(stop, platform)
        if not stop.is_set():
            out.print("Press Ctrl-C to stop.", style="dim")
        await stop.wait()
    finally:
        with contextlib.suppress(OSError, SystemExit):  # where nobody reads any more, rich leaves; stopping comes first
            out.print("Stopping…", style="dim")
        async with asyncio.timeout(settings.stop_s):
            await platform.stop()
    return status


async def _demo_until(stop: asyncio.Event, platform: "Platform") -> int:
    """Play the demo, unless the user stops the platform meanwhile."""
    from lucid.cli.demo import show_demo

    verified = await unless_stopped(stop, show_demo(platform, platform.data, os.getpid()))
    return EXIT_FAILED if verified is False else 0


def _ended(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Leave with the status that `work` ends with."""
    try:
        status = run(work)
    except LucidError as error:
        fail(error)
    raise typer.Exit(status)


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Record a demonstration session and prove it.")] = False,
    data_dir: DataDirOption = None,
    json: LogJson = False,
) -> None:
    """Run the whole platform in this process until Ctrl-C."""
    try:
        settings = _settings(data_dir)
        quiet = demo and not json and err.is_terminal
        log_as("lucid", settings, json=json, level="WARNING" if quiet else None)
    except LucidError as error:
        fail(error)
    _ended(_run(settings, play_demo=demo))


def serve(
    name: Annotated[
        str, typer.Argument(envvar="LUCID_SERVICE", help="A service of the catalog, such as session-recorder.")
    ],
    data_dir: DataDirOption = None,
    json: LogJson = False,
) -> None:
    """Run one service alone; what it needs is reached over HTTP.

    Other services are found through the registry: LUCID_CONSUL_URL, or service-mesh on this machine. LUCID_URL_NAME
    (LUCID_URL_SESSION_RECORDER=http://…) says where one is that does not register itself.
    """
    from lucid.runtime.serve import serve_until_stopped

    try:
        settings = _settings(data_dir)
        log_as(name, settings, json=json)
    except LucidError as error:
        fail(error)
    _ended(serve_until_stopped(name, settings))
