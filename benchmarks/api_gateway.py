"""The API gateway before a trivial service: throughput and latency against the service alone and behind nginx.

Everything that serves shares one core (service, gateway or nginx, and the Valkey that counts limits); the load comes
from the other one. So a ratio of 0.4 means that the gateway costs one and a half times what the service does. Latency
is measured at half of the gateway's own throughput, with requests that come at a steady pace whether or not earlier
ones are answered. At a steady pace a request costs more than under full load, where requests share what wakes a process
up; so it is measured at the pace that keeps the serving core half busy, too.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psutil
import uvloop

from benchmarks.api_gateway_process import ADDRESS, PATH, access_token, service_token
from benchmarks.gateway import cpu_s
from benchmarks.report import Row, at_least, at_most

ROUNDS = 3
SECONDS = 4
CONNECTIONS = 32
WARM_UP_S = 1
_SERVING, _ASKING = {0}, {1}

_NGINX = """
worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream service {{ server {address}:{port}; keepalive 64; }}
    server {{
        listen {address}:{own};
        location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def run() -> list[Row]:
    """Needs wrk and nginx. Takes four minutes."""
    rows = []
    for what, role in (("a service as ours are", "trivial"), ("a bare ASGI service", "bare")):
        rows += _compare(what, role, goal=role == "trivial")
    return rows


def _compare(what: str, role: str, *, goal: bool) -> list[Row]:
    """The ways to the service `role`, in turn, several rounds."""
    with contextlib.ExitStack() as stack:
        service, port = stack.enter_context(_process(role))
        gateway, door = stack.enter_context(_process("gateway", str(port)))
        nginx, proxy = stack.enter_context(_nginx(port))
        rates: dict[str, list[float]] = {"direct": [], "gateway": [], "nginx": []}
        for _ in range(ROUNDS):
            rates["direct"].append(_throughput(port, service_token(), service))
            rates["gateway"].append(_throughput(door, access_token(), service, gateway))
            rates["nginx"].append(_throughput(proxy, service_token(), service, nginx))
        direct, through, proxied = (statistics.median(rates[way]) for way in ("direct", "gateway", "nginx"))
        pace = through / 2
        added = _added_ms(port, door, pace)
        half_busy = 0.5 / _busy_s(door, pace / 2, [service, gateway])
        added_half_busy = _added_ms(port, door, half_busy)
    ratio, label = through / direct, f"{what}: throughput through the gateway, of direct"
    return [
        Row(f"{what}: requests a second direct, gateway, nginx", f"{direct:.0f}, {through:.0f}, {proxied:.0f}"),
        at_least(label, ratio, 0.4) if goal else Row(label, f"{ratio:.2g}"),
        Row(f"{what}: throughput through the gateway, of nginx", f"{through / proxied:.2g}"),
        at_most(f"{what}: p99 added at {pace:.0f} requests a second", added, 3, " ms"),
        Row(f"{what}: p99 added at {half_busy:.0f}, which keep the core half busy", f"{added_half_busy:.2g} ms"),
    ]


@contextlib.contextmanager
def _process(role: str, *arguments: str) -> Iterator[tuple[psutil.Process, int]]:
    """One of api_gateway_process on the serving core, and its port."""
    with _pinned(_SERVING):
        command = [sys.executable, "-m", "benchmarks.api_gateway_process", role, *arguments]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    assert child.stdout is not None
    try:
        yield psutil.Process(child.pid), int(child.stdout.readline())
    finally:
        child.communicate()


@contextlib.contextmanager
def _nginx(port: int) -> Iterator[tuple[psutil.Process, int]]:
    """nginx before the service, checking and counting nothing."""
    own = _free_port()
    with tempfile.TemporaryDirectory() as folder, _pinned(_SERVING):
        Path(folder).chmod(0o777)  # its worker is another user
        (Path(folder) / "conf").write_text(_NGINX.format(folder=folder, address=ADDRESS, port=port, own=own))
        child = subprocess.Popen([_program("nginx"), "-p", folder, "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL)
        try:
            yield psutil.Process(child.pid), own
        finally:
            child.terminate()
            child.wait()


def _throughput(port: int, token: str, *serving: psutil.Process) -> float:
    """Requests answered in a second of the serving core, under full load. What other programs take of that core is not
    counted: it is the processes' own CPU time, Valkey's included."""
    url = f"http://{ADDRESS}:{port}{PATH}"
    processes = [each for process in serving for each in (process, *process.children(recursive=True))]
    for seconds in (WARM_UP_S, SECONDS):
        before = sum(map(cpu_s, processes))
        with _pinned(_ASKING):
            command = [
                _program("wrk"),
                "-t1",
                f"-c{CONNECTIONS}",
                f"-d{seconds}s",
                "-H",
                f"Authorization: Bearer {token}",
            ]
            text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
        used_s = sum(map(cpu_s, processes)) - before
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"not every request was answered: {text}")
    found = re.search(r"(\d+) requests in", text)
    assert found is not None
    return int(found[1]) / used_s


def _added_ms(port: int, door: int, pace: float) -> float:
    """What the gateway adds to the 99th percentile at a steady pace; the ways in turn, several rounds."""
    late: dict[str, list[float]] = {"direct": [], "gateway": []}
    with _pinned(_ASKING):
        for _ in range(ROUNDS):
            late["direct"].append(uvloop.run(_p99_ms(port, service_token(), pace)))
            late["gateway"].append(uvloop.run(_p99_ms(door, access_token(), pace)))
    return statistics.median(late["gateway"]) - statistics.median(late["direct"])


def _busy_s(door: int, pace: float, serving: list[psutil.Process]) -> float:
    """CPU seconds that a request through the gateway takes at a steady pace, Valkey's included."""
    processes = [each for process in serving for each in (process, *process.children(recursive=True))]
    before = sum(map(cpu_s, processes))
    with _pinned(_ASKING):
        uvloop.run(_p99_ms(door, access_token(), pace))
    return (sum(map(cpu_s, processes)) - before) / int(pace * SECONDS)


async def _p99_ms(port: int, token: str, pace: float) -> float:
    """The 99th percentile of the time from when a request was due to the last byte of its answer."""
    request = f"GET {PATH} HTTP/1.1\r\nHost: {ADDRESS}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    idle: asyncio.Queue[_Client] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda: _Client(idle), ADDRESS, port))[1] for _ in range(CONNECTIONS)]
    for client in clients:
        idle.put_nowait(client)
    times: list[float] = []
    began = time.perf_counter()
    for number in range(int(pace * SECONDS)):
        due = began + number / pace
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        (await idle.get()).ask(request, due, times)
    while idle.qsize() < CONNECTIONS:  # noqa: ASYNC110 - a queue tells when it has one, not when it has all
        await asyncio.sleep(0.01)
    for client in clients:
        client.transport.close()
    return statistics.quantiles(times, n=100)[98] * 1000


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    transport: asyncio.Transport

    def __init__(self, idle: "asyncio.Queue[_Client]") -> None:
        self._idle = idle
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float, times: list[float]) -> None:
        self._answer, self._due, self._times = b"", due, times
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._answer.endswith(b"}"):
            if not self._answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"not answered: {self._answer!r}")
            self._times.append(time.perf_counter() - self._due)
            self._idle.put_nowait(self)


@contextlib.contextmanager
def _pinned(cores: set[int]) -> Iterator[None]:
    """Processes started meanwhile keep to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed: scripts/setup bench-packages")
    return found


def _free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as listener:
        return int(listener.getsockname()[1])
