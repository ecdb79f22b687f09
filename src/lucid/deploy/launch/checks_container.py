"""Checks of what the engine says of a container (`docker inspect`)."""

from collections.abc import Iterator
from typing import Any

from lucid.deploy.launch.checks import Check, Seen, differs
from lucid.deploy.launch.expected import Expected
from lucid.deploy.launch.sets import Image
from lucid.deploy.shared import INTERVAL_S, LOG_DRIVER, LOG_OPTIONS, RESTART, RETRIES, TIMEOUT_S

_NS = 1_000_000_000


def health(_expected: Expected, seen: Seen) -> Iterator[str]:
    state = seen.inspected["State"]
    yield from differs("state", "running", state["Status"])
    if state["Status"] == "running":
        yield from differs("health", "healthy", state.get("Health", {}).get("Status", "never asked"))


def health_check(expected: Expected, seen: Seen) -> Iterator[str]:
    found = seen.inspected["Config"].get("Healthcheck") or {}
    yield from differs("health check", list(expected.probe), found.get("Test", []))
    for key, seconds in (("Interval", INTERVAL_S), ("Timeout", TIMEOUT_S), ("StartPeriod", expected.start_period_s)):
        yield from differs(f"health check: {key}", f"{seconds} s", f"{found.get(key, 0) / _NS:g} s")
    yield from differs("health check: Retries", RETRIES, found.get("Retries"))


def image(expected: Expected, seen: Seen) -> Iterator[str]:
    """By its name, or by the one under which `lucid deploy up` pins it."""
    name = seen.inspected["Config"]["Image"]
    if name != Image(name=expected.image, id=seen.inspected["Image"]).pinned:
        yield from differs("image", expected.image, name)


def privileges(expected: Expected, seen: Seen) -> Iterator[str]:
    """What the engine was told of user, capabilities and namespaces; that it is so is seen from within."""
    host = seen.inspected["HostConfig"]
    yield from differs("user", expected.user, seen.inspected["Config"]["User"])
    yield from differs("privileged", False, host["Privileged"])
    yield from differs("capabilities dropped", {"ALL"}, _capabilities(host["CapDrop"]))
    yield from differs("capabilities added", set(expected.capabilities), _capabilities(host["CapAdd"]))
    yield from differs("no-new-privileges", True, _no_new_privileges(host["SecurityOpt"] or []))
    for key in ("PidMode", "UTSMode", "UsernsMode"):
        yield from differs(f"{key}: shared with", "", host.get(key, ""))
    yield from differs("IpcMode", "private", host["IpcMode"])
    yield from differs("devices", [], host.get("Devices") or [])


def read_only(expected: Expected, seen: Seen) -> Iterator[str]:
    yield from differs("root is read-only", expected.read_only, seen.inspected["HostConfig"]["ReadonlyRootfs"])


def mounts(expected: Expected, seen: Seen) -> Iterator[str]:
    found = {each["Destination"]: (each["Source"], each["RW"]) for each in seen.inspected["Mounts"]}
    for target in sorted({*expected.mounts, *found}):
        wanted, there = expected.mounts.get(target), found.get(target)
        yield from differs(target, _mount(wanted), _mount(there))
    in_memory = frozenset(seen.inspected["HostConfig"].get("Tmpfs") or {})
    yield from differs("folders in memory", expected.tmpfs, in_memory)


def ports(expected: Expected, seen: Seen) -> Iterator[str]:
    bound = seen.inspected["NetworkSettings"]["Ports"] or {}
    found = {
        f"{place['HostIp']}:{place['HostPort']} to {port}"
        for port, places in bound.items()
        for place in places or []  # a port that an image names but nobody publishes has none
    }
    wanted = {f"{address}:{port} to {inside}/tcp" for inside, (address, port) in expected.published.items()}
    yield from differs("published", wanted, found)


def networks(expected: Expected, seen: Seen) -> Iterator[str]:
    yield from differs("networks", expected.networks, frozenset(seen.inspected["NetworkSettings"]["Networks"]))


def limits(expected: Expected, seen: Seen) -> Iterator[str]:
    """An engine without a memory controller drops the limit: then it is 0 here."""
    host = seen.inspected["HostConfig"]
    yield from differs("memory in bytes", expected.memory, host["Memory"])
    yield from differs("memory and swap in bytes", expected.memory, host["MemorySwap"])
    yield from differs("CPU in 1e-9 cores", expected.nano_cpus, host["NanoCpus"])
    yield from differs("processes", expected.pids, host["PidsLimit"])


def logs(_expected: Expected, seen: Seen) -> Iterator[str]:
    found = seen.inspected["HostConfig"]["LogConfig"]
    yield from differs("log driver", LOG_DRIVER, found["Type"])
    yield from differs("log options", LOG_OPTIONS, found["Config"])


def restart(_expected: Expected, seen: Seen) -> Iterator[str]:
    yield from differs("restart policy", RESTART, seen.inspected["HostConfig"]["RestartPolicy"]["Name"])


CHECKS = (
    Check("health", "running, and healthy", health),
    Check("health-check", "asked for its readiness as often as declared", health_check),
    Check("image", "of the declared name", image),
    Check("privileges", "user, capabilities and namespaces as declared", privileges),
    Check("read-only", "the root is mounted read-only", read_only),
    Check("mounts", "the declared folders and files, and no other", mounts),
    Check("ports", "published: the declared ports on the declared addresses", ports),
    Check("networks", "on the declared networks", networks),
    Check("limits", "memory, CPU and processes", limits),
    Check("logs", "JSON files that are rotated", logs),
    Check("restart", "started again when it ends", restart),
)


def _capabilities(names: list[str] | None) -> set[str]:
    return {name.removeprefix("CAP_") for name in names or []}


def _no_new_privileges(options: list[str]) -> bool:
    return any(option in ("no-new-privileges", "no-new-privileges:true") for option in options)


def _mount(mount: tuple[Any, Any] | None) -> str:
    return "" if mount is None else f"{mount[0]}, {'writable' if mount[1] else 'read-only'}"
