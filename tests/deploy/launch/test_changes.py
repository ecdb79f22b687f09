"""Waiting for changes of containers, with an engine of our own making."""

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path

import psutil

from lucid.deploy.launch.changes import watching
from lucid.deploy.launch.engine import Engine

LONG_S = 30.0


def engine(folder: Path, lines: str) -> Engine:
    script = folder / "docker"
    script.write_text(f"#!/bin/sh\n{lines}\n")
    script.chmod(0o755)
    return Engine(str(script))


async def took_s(waiting: Awaitable[None]) -> float:
    began = time.monotonic()
    await waiting
    return time.monotonic() - began


async def test_a_change_is_told_at_once_and_what_came_before_is_not_waited_for_again(tmp_path: Path) -> None:
    told = tmp_path / "told"
    telling = engine(
        tmp_path, f'echo started; while [ ! -e "{told}" ]; do sleep 0.02; done; echo healthy; exec sleep 100'
    )
    async with watching(telling) as changes:
        assert await took_s(changes.wait(LONG_S)) < LONG_S
        changes.clear()
        assert await took_s(changes.wait(0.2)) >= 0.2
        waiting = asyncio.ensure_future(changes.wait(LONG_S))
        told.touch()
        assert await took_s(waiting) < LONG_S


async def test_the_engine_is_asked_for_what_matters_and_no_longer_than_it_is_waited_for(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    async with watching(engine(tmp_path, f'echo "$$ $@" > {asked}; echo now; exec sleep 100')) as changes:
        await changes.wait(LONG_S)
        pid, *words = asked.read_text().split()
        assert psutil.pid_exists(int(pid))
    assert not psutil.pid_exists(int(pid))
    assert words[:3] == ["events", "--filter", "type=container"]
    assert {"event=start", "event=die", "event=health_status"} <= set(words)


async def test_without_word_from_the_engine_it_is_the_time_that_ends_the_wait(tmp_path: Path) -> None:
    async with watching(engine(tmp_path, "echo 'no such command' >&2; exit 1")) as changes:
        changes.clear()
        await changes.wait(0.5)
        assert await took_s(changes.wait(0.2)) < LONG_S
