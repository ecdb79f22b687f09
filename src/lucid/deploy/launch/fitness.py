"""Is this machine fit for the deployment: memory, disk, folders, ports, clock? Nothing is changed."""

import ctypes
import errno
import re
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lucid
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.container import folders
from lucid.deploy.launch.values import mib

State = Literal["ok", "warning", "failed"]

FREE_BYTES = 5 * 2**30
SYSTEM_MIB = 600
"""Memory for the operating system and the engine."""

_TIME_ERROR = 5
"""What adjtimex(2) returns of a clock that nothing keeps right."""

_REFUSED = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)
_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on
_PUBLISHED = re.compile(r":(\d+)(?:-(\d+))?->")
"""A port or a range of them, as `docker ps` shows it: `0.0.0.0:8080->8080/tcp`."""


@dataclass(frozen=True)
class Check:
    """The answer to one question; `remedy` is what to do about it."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def memory(catalog: Catalog, values: Mapping[str, str], total_bytes: int) -> Check:
    """Whether all containers may take what they may."""
    limits = sum(mib(variables.memory(piece).of(values)) for piece in catalog.pieces)
    total = total_bytes // 2**20
    detail = f"{total} MiB; the containers may use {limits:.0f} MiB, the system {SYSTEM_MIB} MiB"
    if limits + SYSTEM_MIB > total:
        return Check("memory", "warning", detail, "lower limits (LUCID_…_MEMORY), or use fewer desktops at a time")
    return Check("memory", "ok", detail)


def disk(values: Mapping[str, str]) -> Check:
    root = _data_root(values)
    free = shutil.disk_usage(root).free
    detail = f"{free / 2**30:.1f} GiB free at {root}"
    if free < FREE_BYTES:
        remedy = f"make room: recording stops when it is full; {FREE_BYTES >> 30} GiB are wanted"
        return Check("disk", "failed", detail, remedy)
    return Check("disk", "ok", detail)


def mounted(values: Mapping[str, str], system: Path = Path("/")) -> Check:
    """A data folder whose disk is not mounted is on the card: it wears out, and is not where the data is."""
    root = _data_root(values)
    if root.stat().st_dev == system.stat().st_dev:
        remedy = f"mount the SSD there, or choose a folder on it: lucid deploy configure {variables.DATA_ROOT.name}=…"
        return Check("SSD", "warning", f"{root} is on the disk of the system", remedy)
    return Check("SSD", "ok", f"{root} is on a disk of its own")


def owners(catalog: Catalog, values: Mapping[str, str]) -> Check:
    """Whether the folders that are there are of the users that write to them; those of a restored copy may not be."""
    count = 0
    for piece in catalog.pieces:
        uid = int(piece.container.user.partition(":")[0])
        for source in folders(piece):
            path = Path(variables.fill(source, values))
            if not path.exists():
                continue
            count += 1
            if (found := path.stat().st_uid) != uid:
                detail = f"{path} is of user {found}, and {piece.name} writes to it as {uid}"
                return Check("folders", "failed", detail, f"chown -R {uid}:{uid} {shlex.quote(str(path))}")
    return Check("folders", "ok", f"{count} of the right users")


def ports(catalog: Catalog, values: Mapping[str, str], shown: Mapping[str, str]) -> Check:
    """Whether the ports of this host are free, or held by the containers that are to have them. `shown` are the
    published ports of all running containers, as `docker ps` shows them."""
    wanted: dict[tuple[str, int], str] = {}
    for piece in catalog.pieces:
        ours = published(shown.get(piece.name, ""))
        for publish in piece.container.published:
            variable = variables.host_port(piece, publish)
            address, number = variables.host_address(publish).of(values), int(variable.of(values))
            problem = _wanted_twice(address, number, wanted)
            if not problem and number not in ours:
                problem = _taken(address, number)
            if problem:
                remedy = f"end what has it, or choose another: lucid deploy configure {variable.name}=…"
                return Check("ports", "failed", f"{number} for {piece.name}: {problem}", remedy)
            wanted[address, number] = piece.name
    return Check("ports", "ok", f"{len(wanted)} free or ours")


def _wanted_twice(address: str, port: int, wanted: Mapping[tuple[str, int], str]) -> str:
    for (other, number), name in wanted.items():
        if number == port and (other == address or _ANY_ADDRESS & {other, address}):
            return f"{name} is to have it too"
    return ""


def published(shown: str) -> set[int]:
    """The ports of the host in `0.0.0.0:8080->8080/tcp, [::]:9000-9002->9000-9002/tcp`."""
    return {
        port for match in _PUBLISHED.finditer(shown) for port in range(int(match[1]), int(match[2] or match[1]) + 1)
    }


def _taken(address: str, port: int) -> str:
    """Why a port cannot be published. That this program may not have it says nothing: the engine may."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{address} is no address of this machine"
        return "another program has it" if error.errno in _REFUSED else ""
    return ""


def clock(now: Callable[[], float] = time.time) -> Check:
    """A Raspberry Pi has no clock of its own: before it has heard of the time it lives in the past."""
    built = max(path.stat().st_mtime for path in Path(lucid.__file__).parent.glob("*.py"))
    if now() < built - 86_400:
        time_here = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now()))
        detail = f"it is {time_here} UTC here, before this program was installed"
        return Check("clock", "failed", detail, "set the clock: timedatectl set-ntp true")
    if _unsynchronised():
        remedy = "timedatectl set-ntp true; tickets, tokens and the times in the log depend on it"
        return Check("clock", "warning", "nothing keeps the clock right", remedy)
    return Check("clock", "ok", "kept right")


def _unsynchronised() -> bool:
    """By adjtimex(2), which tells every process."""
    library = ctypes.CDLL(None)
    # Room for struct timex, of zeros: it asks and sets nothing.
    return hasattr(library, "adjtimex") and int(library.adjtimex(ctypes.create_string_buffer(512))) == _TIME_ERROR


def _data_root(values: Mapping[str, str]) -> Path:
    """The data folder, or what there is above it."""
    path = Path(variables.DATA_ROOT.of(values))
    while not path.exists():
        path = path.parent
    return path
