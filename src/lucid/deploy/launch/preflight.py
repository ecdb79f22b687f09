"""Is this machine fit for the deployment? Each question is asked by itself; none changes anything."""

import ctypes
import ipaddress
import os
import platform
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lucid
from lucid.base.errors import LucidError
from lucid.catalog.types import Network
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import images, secrets
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.place import Place

State = Literal["ok", "warning", "failed"]

ENGINE = (25, 0)
"""The first engine that asks often for health while a container starts."""

COMPOSE = (2, 20)
FREE_BYTES = 5 * 2**30
SYSTEM_MIB = 600
"""Memory for the operating system and the engine."""

_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "amd64", "amd64": "amd64"}
_TIME_ERROR = 5
"""What adjtimex(2) returns of a clock that nothing keeps right."""


@dataclass(frozen=True)
class Check:
    """The answer to one question; `remedy` is what to do about it."""

    name: str
    state: State
    detail: str
    remedy: str = ""


async def preflight(place: Place, engine: Engine, catalog: Catalog) -> list[Check]:
    """All answers. Figures of disk, memory, ports and routes are of this machine, so they are left out when the engine
    is another's. Raises Unavailable when the engine does not answer."""
    unlocked = place.is_unlocked(catalog)
    values = place.values(catalog) if unlocked else {}
    info = (await engine.documents("info", "--format", "{{json .}}"))[0]
    checks = [_engine(info), await _compose(engine), _secrets(place, catalog, unlocked)]
    networks = await engine.documents("network", "inspect", *(await engine.text("network", "ls", "-q")).split())
    checks.append(_subnets(catalog.networks, networks, _routes() if engine.is_local else ()))
    if unlocked:  # the settings say what is wanted
        checks += [_architecture(info, values), await _images(engine, catalog, values)]
    checks.append(_memory(catalog, values, int(info["MemTotal"])))
    if engine.is_local:
        ours = set((await engine.text("ps", "--format", "{{.Names}}")).split())
        checks += [_disk(values), _mounted(values), _ports(catalog, values, ours), _clock()]
    return checks


def _engine(info: Mapping[str, Any]) -> Check:
    found = str(info["ServerVersion"])
    if _version(found) < ENGINE:
        asks = "it asks for health every 30 s only, so each phase takes at least that"
        return Check("engine", "warning", f"Docker {found}: {asks}", f"install Docker {ENGINE[0]} or later")
    return Check("engine", "ok", f"Docker {found}")


async def _compose(engine: Engine) -> Check:
    found = (await engine.text("compose", "version", "--short")).strip()
    if _version(found) < COMPOSE:
        return Check("compose", "failed", f"Compose {found}", f"install Compose {COMPOSE[0]}.{COMPOSE[1]} or later")
    return Check("compose", "ok", f"Compose {found}")


def _architecture(info: Mapping[str, Any], values: Mapping[str, str]) -> Check:
    machine = _MACHINES.get(str(info.get("Architecture", platform.machine())), "unknown")
    wanted = (values.get(variables.PLATFORM.name) or variables.PLATFORM.default).rpartition("/")[2]
    if machine != wanted:
        remedy = f"lucid deploy configure {variables.PLATFORM.name}=linux/{machine}"
        return Check(
            "architecture", "failed", f"the engine's machine is {machine}, the images are for {wanted}", remedy
        )
    return Check("architecture", "ok", machine)


def _secrets(place: Place, catalog: Catalog, unlocked: bool) -> Check:
    if not unlocked:
        return Check("secrets", "failed", "settings and secrets are not unlocked", "lucid deploy unlock")
    folder = Path(place.values(catalog)[variables.SECRETS_DIR.name])
    names = [secrets.key_file(key) for key in secrets.keys_of(catalog)]
    names += [password.name for password in secrets.passwords(catalog)]
    if missing := [name for name in names if not (folder / name).is_file()]:
        return Check("secrets", "failed", f"{folder / missing[0]} is missing", "lucid deploy unlock")
    if wide := [name for name in names if (folder / name).stat().st_mode & 0o077]:
        return Check("secrets", "failed", f"others than its owner can read {folder / wide[0]}", "lucid deploy unlock")
    return Check("secrets", "ok", f"{len(names)} in {folder}")


async def _images(engine: Engine, catalog: Catalog, values: Mapping[str, str]) -> Check:
    try:
        found = await images.find(engine, images.names(catalog, values))
    except LucidError as error:
        return Check("images", "failed", error.detail, "lucid images build, or load, or docker pull")
    wanted = (values.get(variables.PLATFORM.name) or variables.PLATFORM.default).rpartition("/")[2]
    names = [image.name for image in found.values()]
    for document in await engine.documents("image", "inspect", *(image.id for image in found.values())):
        if document["Architecture"] != wanted:
            name = (document["RepoTags"] or names)[0]
            detail = f"{name} is for {document['Architecture']}, not for {wanted}"
            return Check("images", "failed", detail, f"lucid images build --platform linux/{wanted}")
    return Check("images", "ok", f"{len(found)} for {wanted}")


def _subnets(
    wanted: Sequence[Network], found: Iterable[Mapping[str, Any]], routes: Iterable[tuple[str, ipaddress.IPv4Network]]
) -> Check:
    """Networks of ours that are there as they should be are fine, and so are the routes into them."""
    own = {network.name: ipaddress.IPv4Network(network.subnet) for network in wanted}
    bridges = {f"br-{document['Id'][:12]}" for document in found if document["Name"] in own}
    taken = [
        (f"the network {document['Name']}", ipaddress.IPv4Network(config["Subnet"]))
        for document in found
        if document["Name"] not in own
        for config in document["IPAM"]["Config"] or ()
        if ":" not in config["Subnet"]
    ]
    known = {subnet for _, subnet in taken}
    taken += [
        (f"the route by {device}", route) for device, route in routes if device not in bridges and route not in known
    ]
    for name, subnet in own.items():
        for what, other in taken:
            if subnet.overlaps(other):
                remedy = "give that another subnet (a LAN: another address range), or remove it"
                return Check("subnets", "failed", f"{name} {subnet} overlaps {what}, {other}", remedy)
    return Check("subnets", "ok", f"{len(own)} free or ours")


def _routes() -> list[tuple[str, ipaddress.IPv4Network]]:
    """Device and destination of this machine's IPv4 routes, but the default one (proc(5), /proc/net/route)."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        device, destination, _, _, _, _, _, mask = line.split()[:8]
        if mask != "00000000":
            address, bits = (int.from_bytes(bytes.fromhex(text), "little") for text in (destination, mask))
            found.append((device, ipaddress.IPv4Network((address, bin(bits).count("1")))))
    return found


def _memory(catalog: Catalog, values: Mapping[str, str], total_bytes: int) -> Check:
    limits = sum(
        _mib(values.get(variables.memory(piece).name) or variables.memory(piece).default) for piece in catalog.pieces
    )
    total = total_bytes // 2**20
    detail = f"{total} MiB; the containers may use {limits} MiB, the system {SYSTEM_MIB} MiB"
    if limits + SYSTEM_MIB > total:
        return Check("memory", "warning", detail, "lower limits (LUCID_…_MEMORY), or use fewer desktops at a time")
    return Check("memory", "ok", detail)


def _mib(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmg]?)b?", text.strip().lower())
    scale = {"": 2**-20, "k": 2**-10, "m": 1, "g": 1024}
    return int(int(match[1]) * scale[match[2]]) if match else 0


def _data_root(values: Mapping[str, str]) -> Path:
    """The data folder, or what there is above it."""
    path = Path(values.get(variables.DATA_ROOT.name) or variables.DATA_ROOT.default)
    while not path.exists():
        path = path.parent
    return path


def _disk(values: Mapping[str, str]) -> Check:
    root = _data_root(values)
    free = shutil.disk_usage(root).free
    detail = f"{free / 2**30:.1f} GiB free at {root}"
    if free < FREE_BYTES:
        return Check(
            "disk", "failed", detail, f"make room: recording stops when it is full; {FREE_BYTES >> 30} GiB are wanted"
        )
    return Check("disk", "ok", detail)


def _mounted(values: Mapping[str, str]) -> Check:
    root = _data_root(values)
    if root.stat().st_dev == Path("/").stat().st_dev:
        remedy = f"mount the SSD there, or choose a folder on it: lucid deploy configure {variables.DATA_ROOT.name}=…"
        return Check("SSD", "warning", f"{root} is on the disk of the system", remedy)
    return Check("SSD", "ok", f"{root} is on a disk of its own")


def _ports(catalog: Catalog, values: Mapping[str, str], running: set[str]) -> Check:
    count = 0
    for piece in catalog.pieces:
        for publish in piece.container.published:
            count += 1
            port, address = variables.host_port(piece, publish), variables.host_address(publish)
            number = int(values.get(port.name) or port.default)
            if piece.name not in running and (problem := _taken(values.get(address.name) or address.default, number)):
                remedy = f"end what has it, or choose another: lucid deploy configure {port.name}=…"
                return Check("ports", "failed", f"{number} for {piece.name}: {problem}", remedy)
    return Check("ports", "ok", f"{count} free or ours")


def _taken(address: str, port: int) -> str:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _clock(now: Callable[[], float] = time.time) -> Check:
    """A Raspberry Pi has no clock of its own: before it has heard of the time it lives in the past."""
    built = Path(lucid.__file__).stat().st_mtime
    if now() < built - 86_400:
        detail = (
            f"it is {time.strftime('%Y-%m-%d %H:%M', time.gmtime(now()))} UTC here, before this program was installed"
        )
        return Check("clock", "failed", detail, "set the clock: timedatectl set-ntp true")
    if _unsynchronised():
        remedy = "timedatectl set-ntp true; tickets, tokens and the times in the log depend on it"
        return Check("clock", "warning", "nothing keeps the clock right", remedy)
    return Check("clock", "ok", "kept right")


def _unsynchronised() -> bool:
    """By adjtimex(2), which tells every process."""
    if os.name != "posix" or not hasattr(ctypes.CDLL(None), "adjtimex"):
        return False
    return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))) == _TIME_ERROR


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
