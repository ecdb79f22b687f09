"""Running until somebody asks for the end: of the platform as of one service."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from lucid.base.logging import LogFile, configure_logging

if TYPE_CHECKING:
    from lucid.runtime.settings import RuntimeSettings

T = TypeVar("T")


def log_as(name: str, settings: "RuntimeSettings", *, json: bool = False, level: str | None = None) -> None:
    """Configure the logs of this process; their file, if there is to be one, is called `name`. Raises InvalidInput."""
    folder = settings.log_dir
    file = LogFile(folder / f"{name}.log", settings.log_file_bytes, settings.log_files) if folder else None
    configure_logging(json=json or settings.log_format == "json", level=level or settings.log_level, file=file)


def run(work: Coroutine[Any, Any, int]) -> int:
    """The exit status that `work` ends with."""
    try:
        return uvloop.run(work)
    except TimeoutError:
        sys.stderr.write("lucid: the shutdown took too long and was cut short\n")
        return 1


def stop_event() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, and SIGHUP (the terminal was closed) where it is not ignored (`nohup`)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    return stop


async def unless_stopped(
    stop: asyncio.Event, work: Coroutine[Any, Any, T], *, limit_s: float | None = None
) -> T | None:
    """The result of `work`, or None when `stop` comes first: then `work` is cancelled, and has `limit_s` to clear up.
    Raises TimeoutError when it takes longer."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(limit_s):
                await working
        return None
    return working.result()
