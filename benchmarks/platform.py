# ruff: noqa: A005 -- run by name as `python -m benchmarks platform`; nothing here imports it as `platform`
"""The platform at rest: time from `lucid up` to ready, and what it costs when nobody is connected.

The first start makes keys and certificate; further ones are those after a reboot. The modules are compiled by then, as
pip does when it installs them; under PYTHONDONTWRITEBYTECODE each start would do it again, for a second. Memory is PSS,
so pages that processes share count once; processes are all of the platform, Valkey included.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.gateway import cpu_s
from benchmarks.report import Row, at_most
from benchmarks.traffic import WORK
from lucid.runtime.paths import DataDir

RESTARTS = 3
SETTLE_S = 3.0
IDLE_S = 10.0
_LIMIT_S = 30.0


def run() -> list[Row]:
    """Needs the platform's usual ports: no other `lucid up` may run."""
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as name, _platform(Path(name)):
        pass  # compiles what is not compiled yet
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        with _platform(Path(name)) as (_, first_s):
            pass
        later = []
        for _ in range(RESTARTS):
            with _platform(Path(name)) as (process, ready_s):
                later.append(ready_s)
                if len(later) == RESTARTS:
                    names, memory, cpu = _at_rest(process)
    return [
        at_most("first start to ready", first_s, 3, " s"),
        at_most(f"further starts to ready, median of {RESTARTS}", statistics.median(later), 3, " s"),
        at_most(f"memory at rest, PSS of {names}", memory, 200, " MB"),
        at_most(f"CPU at rest over {IDLE_S:g} s, of one core", cpu, 2, " %"),
    ]


def _environment() -> dict[str, str]:
    """Ours, with a folder for compiled modules."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(WORK / "compiled")}


@contextmanager
def _platform(folder: Path) -> Iterator[tuple[psutil.Process, float]]:
    """`lucid up` on `folder`, and the seconds until it was ready."""
    lucid = str(Path(sys.executable).with_name("lucid"))
    ready = DataDir(folder).run_file
    began = time.perf_counter()
    with (folder.parent / f"{folder.name}.log").open("w+") as log:
        Path(log.name).unlink()
        child = subprocess.Popen([lucid, "--data-dir", str(folder), "up"], env=_environment(), stdout=log, stderr=log)
        try:
            while not ready.exists():
                if child.poll() is not None or time.perf_counter() - began > _LIMIT_S:
                    log.seek(0)
                    raise RuntimeError(f"lucid up did not get ready: {log.read()[-2000:]}")
                time.sleep(0.002)
            yield psutil.Process(child.pid), time.perf_counter() - began
        finally:
            child.terminate()
            child.wait(_LIMIT_S)


def _at_rest(process: psutil.Process) -> tuple[str, float, float]:
    """Names of the processes, their PSS in MB, their CPU in percent of a core."""
    time.sleep(SETTLE_S)
    processes = [process, *process.children(recursive=True)]
    before, began = sum(map(cpu_s, processes)), time.perf_counter()
    time.sleep(IDLE_S)
    used = (sum(map(cpu_s, processes)) - before) / (time.perf_counter() - began)
    memory = sum(each.memory_full_info().pss for each in processes) / 1e6
    return " + ".join(each.name() for each in processes), memory, used * 100
