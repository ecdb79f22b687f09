"""Work that goes on until somebody asks for the end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lucid.runtime import serve
from lucid.runtime.running import stop_event, unless_stopped
from lucid.runtime.settings import RuntimeSettings


async def test_the_end_of_the_terminal_is_the_end() -> None:
    stop = stop_event()
    os.kill(os.getpid(), signal.SIGHUP)
    async with asyncio.timeout(10):
        await stop.wait()


async def test_who_ignores_the_end_of_the_terminal_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop_event()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_what_is_done_before_the_end_is_the_result() -> None:
    async def work() -> str:
        return "done"

    assert await unless_stopped(asyncio.Event(), work()) == "done"


async def test_at_the_end_work_is_cancelled_and_clears_up() -> None:
    stop, cleared = asyncio.Event(), False
    stop.set()

    async def work() -> None:
        nonlocal cleared
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleared = True

    await unless_stopped(stop, work(), limit_s=10)
    assert cleared


async def test_a_service_that_does_not_end_is_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stop = asyncio.Event()

    @contextlib.asynccontextmanager
    async def hangs(*_: object) -> AsyncIterator[None]:
        try:
            stop.set()
            yield
        finally:
            await asyncio.Event().wait()

    monkeypatch.setattr(serve, "serve_one", hangs)
    monkeypatch.setattr(serve, "stop_event", lambda: stop)
    settings = RuntimeSettings.load(data_dir=tmp_path, stop_s=0.05)
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await serve.serve_until_stopped("data-chain", settings)
