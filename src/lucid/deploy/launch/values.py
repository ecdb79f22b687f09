"""What the variables of a deployment may be set to, as far as Docker would only say so in the middle of a start."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from lucid.base.errors import InvalidInput
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog

PLATFORMS = ("linux/arm64", "linux/amd64")

_UNITS = {"": 2**-20, "b": 2**-20, "k": 2**-10, "m": 1, "g": 2**10}
_LEAST_MEMORY_MIB = 6
"""The engine takes no less."""


def mib(text: str) -> float:
    """Memory as Compose reads it (`512m`, `1.5g`, `300000000`), in MiB. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([bkmg]?)(?:(?<=[kmg])i?b)?", text.lower())
    if match is None:
        raise ValueError(text)
    return float(match[1]) * _UNITS[match[2]]


def problems(catalog: Catalog, values: Mapping[str, str]) -> dict[str, str]:
    """By name, what was expected of those that cannot be. An empty value is the default, and always right."""
    found = {}
    for name, (is_right, expected) in _rules(catalog).items():
        value = values.get(name)
        if value and not _holds(is_right, value):
            found[name] = f"expected {expected}, not {value!r}"
    return found


def check(catalog: Catalog, values: Mapping[str, str]) -> None:
    """Raises InvalidInput for the first that cannot be."""
    for name, problem in problems(catalog, values).items():
        raise InvalidInput(f"{name}: {problem}")


_Rule = tuple[Callable[[str], object], str]


def _rules(catalog: Catalog) -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {variable.name: (_is_absolute, "a whole path") for variable in variables.FOLDERS}
    rules[variables.PUBLIC_ADDRESS.name] = (_is_host, "a host name or an IP address")
    rules[variables.PLATFORM.name] = (PLATFORMS.__contains__, " or ".join(PLATFORMS))
    for piece in catalog.pieces:
        rules[variables.memory(piece).name] = (_is_memory, f"memory such as 512m, {_LEAST_MEMORY_MIB}m at least")
        rules[variables.cpus(piece).name] = (_is_share, "a number of CPU cores, such as 0.5")
        for publish in piece.container.published:
            rules[variables.host_port(piece, publish).name] = (_is_port, "a port, 1 to 65535")
            rules[variables.host_address(publish).name] = (ipaddress.ip_address, "an IP address of this host")
    return rules


def _holds(is_right: Callable[[str], object], value: str) -> bool:
    try:
        return is_right(value) is not False
    except ValueError:
        return False


def _is_absolute(text: str) -> bool:
    return (
        PurePosixPath(text).is_absolute() and ".." not in PurePosixPath(text).parts and PurePosixPath(text).name != ""
    )


def _is_host(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9A-Fa-f:.]{2,45}", text) is not None


def _is_memory(text: str) -> bool:
    return mib(text) >= _LEAST_MEMORY_MIB


def _is_share(text: str) -> bool:
    return re.fullmatch(r"\d{1,4}(\.\d{1,9})?", text) is not None and float(text) > 0


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d{0,4}", text) is not None and int(text) < 65536
