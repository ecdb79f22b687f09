"""The gateway: CPU of relaying with and without recording, and the latency it adds, at 20 sessions of 5 Mbit/s.

Real screen updates go from a host to 20 clients over TLS: directly, through the gateway with the journal (sealing
apart), through the same gateway without any recording, and through socat. All of it runs on the same two cores,
each in a process of its own, in turn; figures are medians over the rounds.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import pyrdp
from benchmarks.gateway_process import gateway
from benchmarks.load import ADDRESS, Child, child, clients, host
from benchmarks.report import Row, at_most
from benchmarks.traffic import WORK, traffic
from tests.real.xrdp_host import child as command
from tests.real.xrdp_host import free_port, listening, wait_for

SESSIONS = 20
MBIT_S = 5.0
SECONDS = 4.0
PYRDP_SESSIONS = 4
ROUNDS = 3
CORES = 2


def cpu_s(process: psutil.Process) -> float:
    """CPU of all threads of a process, to the nanosecond (man 5 proc, schedstat); `cpu_times` counts in 10 ms, more
    than a process of one connection uses."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


@dataclass(frozen=True)
class Way:
    """How clients reach the host: a port, and the process in between, if there is one."""

    port: int
    process: psutil.Process | None = None

    def cpu_s(self) -> float:
        """CPU that the process and its children have used so far."""
        if self.process is None:
            return 0.0
        return sum(map(cpu_s, (self.process, *self.process.children(recursive=True))))


@dataclass(frozen=True)
class Sample:
    """One run over one way. CPU in milliseconds a megabyte, latencies in milliseconds."""

    cpu: float
    middle: float
    p99: float


def run() -> list[Row]:
    """Needs socat (`scripts/setup bench-packages`)."""
    traffic()
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(everywhere)[:CORES])  # children inherit it
    try:
        with tempfile.TemporaryDirectory(dir=WORK) as folder:
            return _run(Path(folder))
    finally:
        os.sched_setaffinity(0, everywhere)


def _run(folder: Path) -> list[Row]:
    with ExitStack() as stack:
        target, sink = stack.enter_context(child(host)), stack.enter_context(child(clients))
        port = target.ask("port")
        ways = {"direct": Way(port)}
        for name, recording in (("recording", True), ("relay", False)):
            between = stack.enter_context(child(gateway, port, folder / name, recording))
            ways[name] = Way(between.ask("port"), psutil.Process(between.process.pid))
        ways["socat"] = stack.enter_context(_socat(port, folder))
        pdus = target.ask("load", "steady", MBIT_S, SECONDS)
        samples: dict[str, list[Sample]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                samples[name].append(measure(target, sink, way, pdus, SESSIONS, MBIT_S * SECONDS / 8))
        return [*_rows(samples), _pyrdp_row(target, sink, ways["recording"], pdus, folder)]


def measure(target: Child, sink: Child, way: Way, pdus: int, sessions: int, megabytes: float) -> Sample:
    """Open the sessions, send the prepared timetable, wait for all of it. `megabytes` goes to each session."""
    sink.ask("connect", way.port, sessions)
    before = way.cpu_s()
    departures = target.ask("send", sessions)
    arrivals = sink.ask("arrivals", pdus)
    cpu_s = way.cpu_s() - before
    sink.ask("disconnect")
    took = sorted(
        (arrived - sent) / 1e6
        for each_sent, each_arrived in zip(departures, arrivals, strict=True)
        for sent, arrived in zip(each_sent, each_arrived, strict=True)
    )
    return Sample(cpu_s * 1e3 / (megabytes * sessions), took[len(took) // 2], took[len(took) * 99 // 100])


def _rows(samples: dict[str, list[Sample]]) -> list[Row]:
    cpu = {name: statistics.median(sample.cpu for sample in runs) for name, runs in samples.items()}
    p50 = {name: statistics.median(sample.middle for sample in runs) for name, runs in samples.items()}
    p99 = {name: statistics.median(sample.p99 for sample in runs) for name, runs in samples.items()}
    spread = ", ".join(f"{name} {p50[name]:.2f}/{p99[name]:.2f}" for name in samples)
    return [
        at_most("CPU of recording against the same relay without it", cpu["recording"] / cpu["relay"], 1.3, " x"),
        Row("CPU in ms/MB", ", ".join(f"{name} {cpu[name]:.2f}" for name in ("recording", "relay", "socat"))),
        Row("CPU of recording against socat, which ends no TLS", f"{cpu['recording'] / cpu['socat']:.3g} x"),
        at_most("added latency while recording, p99", p99["recording"] - p99["direct"], 2, " ms"),
        Row("added latency while recording, median", f"{p50['recording'] - p50['direct']:.2f} ms"),
        Row("latency of a PDU in ms, median/p99", spread),
    ]


def _pyrdp_row(target: Child, sink: Child, ours: Way, pdus: int, folder: Path) -> Row:
    """The same traffic to fewer sessions: it takes more than a second to open one."""
    what = f"CPU of pyrdp-mitm against ours, recording {PYRDP_SESSIONS} sessions"
    try:
        with pyrdp.running(target.ask("port"), folder) as (port, process):
            cpu = [
                measure(target, sink, way, pdus, PYRDP_SESSIONS, MBIT_S * SECONDS / 8).cpu
                for way in (Way(port, process), ours)
            ]
    except pyrdp.NotInstalled as error:
        return Row(what, f"pyrdp-mitm cannot be installed: {error}")
    return Row(what, f"{cpu[0] / cpu[1]:.3g} x ({cpu[0]:.3g} against {cpu[1]:.3g} ms/MB)")


@contextmanager
def _socat(target: int, folder: Path) -> Iterator[Way]:
    port = free_port()
    listen = f"TCP-LISTEN:{port},bind={ADDRESS},fork,reuseaddr,nodelay,backlog=64"
    with command(["socat", listen, f"TCP:{ADDRESS}:{target},nodelay"], folder / "socat.out") as process:
        wait_for(lambda: listening(port), "socat listens")
        yield Way(port, psutil.Process(process.pid))
