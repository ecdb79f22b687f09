"""Is everything there that the deployment needs? Each question is asked by itself; none changes anything."""

import asyncio
import os
import platform
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lucid.base.errors import LucidError
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch import fitness, images, secrets
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.fitness import Check
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import UID
from lucid.deploy.launch.subnets import routes, subnets
from lucid.deploy.launch.values import problems

ENGINE = (25, 0)
"""The first engine that asks often for health while a container starts; Compose refuses older ones for that."""

COMPOSE = (2, 20)

_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "amd64", "amd64": "amd64"}


async def preflight(place: Place, engine: Engine, catalog: Catalog) -> list[Check]:
    """All answers. Disk, folders, ports, clock and routes are this machine's, so they are left out when the engine is
    another's; before settings are unlocked their defaults are asked about. Raises Unavailable when the engine does not
    answer."""
    unlocked, values, of_settings = await asyncio.to_thread(_settings, place, catalog)
    info = (await engine.documents("info", "--format", "{{json .}}"))[0]
    checks = [_engine(info), await _compose(engine), *of_settings]
    # One that is removed in between is not missed.
    networks = await engine.inspect("network", (await engine.text("network", "ls", "-q")).split())
    checks.append(subnets(catalog.networks, networks, routes() if engine.is_local else ()))
    if unlocked:  # the settings say what is wanted
        checks += [_architecture(info, values), await _images(engine, catalog, values)]
    checks.append(fitness.memory(catalog, values, int(info["MemTotal"])))
    if engine.is_local:
        shown = (await engine.text("ps", "--format", "{{.Names}}\t{{.Ports}}")).splitlines()
        held = dict(line.split("\t", 1) for line in shown)
        checks += await asyncio.to_thread(_machine, catalog, values, held)
    return checks


def _settings(place: Place, catalog: Catalog) -> tuple[bool, dict[str, str], list[Check]]:
    """Whether settings are unlocked, those that can be so, and what is to say of them and of the secrets."""
    try:
        unlocked = place.is_unlocked(catalog)
        values = place.values(catalog) if unlocked else {}
        checks = [_secrets(place, catalog, unlocked)]
    except PermissionError as error:
        detail = f"{error.filename} cannot be read by this user"
        return False, {}, [Check("secrets", "failed", detail, "do this as root, as `lucid deploy unlock` was done")]
    wrong = problems(catalog, values)
    for name, problem in wrong.items():
        checks.append(Check("settings", "failed", f"{name}: {problem}", f"lucid deploy configure {name}=…"))
    return unlocked, {name: value for name, value in values.items() if name not in wrong}, checks


def _machine(catalog: Catalog, values: Mapping[str, str], held: Mapping[str, str]) -> list[Check]:
    checks = [fitness.disk(values), fitness.mounted(values)]
    if os.geteuid() == 0:  # who is not cannot give folders to their users, nor see into them
        checks.append(fitness.owners(catalog, values))
    return [*checks, fitness.ports(catalog, values, held), fitness.clock()]


def _engine(info: Mapping[str, Any]) -> Check:
    found = str(info["ServerVersion"])
    if _version(found) < ENGINE:
        return Check("engine", "failed", f"Docker {found}", f"install Docker {ENGINE[0]} or later")
    return Check("engine", "ok", f"Docker {found}")


async def _compose(engine: Engine) -> Check:
    found = (await engine.text("compose", "version", "--short")).strip()
    if _version(found) < COMPOSE:
        return Check("compose", "failed", f"Compose {found}", f"install Compose {COMPOSE[0]}.{COMPOSE[1]} or later")
    return Check("compose", "ok", f"Compose {found}")


def _architecture(info: Mapping[str, Any], values: Mapping[str, str]) -> Check:
    machine = _MACHINES.get(str(info.get("Architecture", platform.machine())), "unknown")
    wanted = variables.PLATFORM.of(values).rpartition("/")[2]
    if machine != wanted:
        remedy = f"lucid deploy configure {variables.PLATFORM.name}=linux/{machine}"
        return Check(
            "architecture", "failed", f"the engine's machine is {machine}, the images are for {wanted}", remedy
        )
    return Check("architecture", "ok", machine)


def _secrets(place: Place, catalog: Catalog, unlocked: bool) -> Check:
    if not place.encrypted_dir.is_dir():
        return Check("secrets", "failed", f"no deployment is at {place.deploy_dir}", "lucid deploy init")
    if not unlocked:
        return Check("secrets", "failed", "settings and secrets are not unlocked", "lucid deploy unlock")
    names = [secrets.key_file(key) for key in secrets.keys_of(catalog)]
    names += [password.name for password in secrets.passwords(catalog)]
    for path in (place.secrets / name for name in names):
        if problem := _problem(path):
            return Check("secrets", "failed", f"{path} {problem}", "lucid deploy unlock")
    return Check("secrets", "ok", f"{len(names)} in {place.secrets}")


def _problem(path: Path) -> str:
    """Why containers, or they alone, cannot read this secret."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return "is missing"
    if stat.S_IMODE(found.st_mode) & 0o077:
        return "can be read by others than its owner"
    if os.geteuid() == 0 and found.st_uid != UID:
        return f"is of user {found.st_uid}, not of {UID}"
    return ""


async def _images(engine: Engine, catalog: Catalog, values: Mapping[str, str]) -> Check:
    try:
        found = await images.find(engine, images.names(catalog, values))
    except LucidError as error:
        return Check("images", "failed", error.detail, "lucid images build, or load, or docker pull")
    wanted = variables.PLATFORM.of(values).rpartition("/")[2]
    names = [image.name for image in found.values()]
    for document in await engine.documents("image", "inspect", *(image.id for image in found.values())):
        if document["Architecture"] != wanted:
            name = (document["RepoTags"] or names)[0]
            detail = f"{name} is for {document['Architecture']}, not for {wanted}"
            return Check("images", "failed", detail, f"lucid images build --platform linux/{wanted}")
    return Check("images", "ok", f"{len(found)} for {wanted}")


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
