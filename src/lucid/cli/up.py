"""`lucid up` and `lucid serve`: the platform in one process, or one service of it alone."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
import uvloop
from rich.markup import escape
from rich.panel import Panel

from lucid.base.errors import LucidError
from lucid.base.logging import LogFile, configure_logging
from lucid.cli.console import EXIT_FAILED, err, fail, options, out

if TYPE_CHECKING:
    from lucid.runtime.platform import Platform
    from lucid.runtime.settings import RuntimeSettings

T = TypeVar("T")

EXIT_INTERRUPTED = 130

DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of all data and keys.", show_default="XDG data folder")
]
LogJson = Annotated[bool, typer.Option("--json", help="Log one JSON object a line.")]


def _settings(data_dir: Path | None) -> "RuntimeSettings":
    """The runtime's settings; `data_dir` given to the command wins over the one before it."""
    from lucid.runtime.settings import RuntimeSettings

    options.data_dir = data_dir or options.data_dir
    return RuntimeSettings.load(**({"data_dir": options.data_dir} if options.data_dir else {}))


def _stop_event() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


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

    stop = _stop_event()
    with not_collecting():
        from lucid.runtime.platform import Platform

        platform = Platform(settings)
        await _unless_stopped(stop, platform.start())
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
        out.print("Stopping…", style="dim")
        async with asyncio.timeout(settings.stop_s):
            await platform.stop()
    return status


async def _demo_until(stop: asyncio.Event, platform: "Platform") -> int:
    """Play the demo, unless the user stops the platform meanwhile."""
    from lucid.cli.demo import show_demo

    verified = await _unless_stopped(stop, show_demo(platform, platform.data, os.getpid()))
    return EXIT_FAILED if verified is False else 0


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None when the user stops the platform first: then `work` is cancelled."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        return None
    return working.result()


def _serve_until_stopped(work: Any) -> int:
    try:
        return int(uvloop.run(work))
    except LucidError as error:
        fail(error)
    except TimeoutError:
        sys.stderr.write("lucid: the shutdown took too long and was cut short\n")
        return 1


def _log_to(name: str, settings: "RuntimeSettings", *, json: bool, level: str) -> None:
    folder = settings.log_dir
    file = LogFile(folder / f"{name}.log", settings.log_file_bytes, settings.log_files) if folder else None
    configure_logging(json=json or settings.log_format == "json", level=level, file=file)


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Record a demonstration session and prove it.")] = False,
    data_dir: DataDirOption = None,
    json: LogJson = False,
) -> None:
    """Run the whole platform in this process until Ctrl-C."""
    try:
        settings = _settings(data_dir)
        quiet = demo and not json and err.is_terminal
        _log_to("lucid", settings, json=json, level="WARNING" if quiet else settings.log_level)
    except LucidError as error:
        fail(error)
    raise typer.Exit(_serve_until_stopped(_run(settings, play_demo=demo)))


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
    from lucid.runtime.collecting import settled
    from lucid.runtime.serve import serve_one

    async def serve_on() -> None:
        async with serve_one(name, settings):
            settled()
            await asyncio.Event().wait()

    async def work() -> int:
        # Also while it waits for what it needs.
        await _unless_stopped(_stop_event(), serve_on())
        return 0

    try:
        settings = _settings(data_dir)
        _log_to(name, settings, json=json, level=settings.log_level)
    except LucidError as error:
        fail(error)
    raise typer.Exit(_serve_until_stopped(work()))
