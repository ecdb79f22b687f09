"""Whether the addresses of the networks are free: of other networks of the engine, and of the machine's routes."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lucid.catalog.types import Network
from lucid.deploy.launch.fitness import Check

Route = tuple[str, ipaddress.IPv4Network]
"""The device, and what is reached by it."""

_DEFAULT_BITS = 1
"""Routes as wide as this are for everything; VPNs set two halves instead of one default route."""


def subnets(wanted: Sequence[Network], found: Iterable[Mapping[str, Any]], routes: Iterable[Route]) -> Check:
    """Networks of ours that are there as they should be are fine, and so are the routes into them. `found` is what
    `docker network inspect` says of all networks."""
    found = list(found)
    own = {network.name: ipaddress.IPv4Network(network.subnet) for network in wanted}
    for document in found:
        name, there = document["Name"], [subnet for _, subnet in _of([document])]
        if name in own and there != [own[name]]:
            has = ", ".join(map(str, there)) or "none"
            detail = f"{name} is there with the subnet {has}, not with {own[name]}"
            return Check("subnets", "failed", detail, f"docker network rm {name}, while nothing uses it")
    others = [document for document in found if document["Name"] not in own]
    taken = [(f"the network {name}", subnet) for name, subnet in _of(others)]
    known = {subnet for _, subnet in _of(found)}
    taken += [(f"the route by {device}", route) for device, route in routes if route not in known]
    for name, subnet in own.items():
        for what, other in taken:
            if subnet.overlaps(other):
                remedy = "give that another subnet (a LAN: another address range), or remove it"
                return Check("subnets", "failed", f"{name} {subnet} overlaps {what}, {other}", remedy)
    return Check("subnets", "ok", f"{len(own)} free or ours")


def _of(documents: Iterable[Mapping[str, Any]]) -> Iterator[Route]:
    for document in documents:
        for pool in document["IPAM"]["Config"] or ():
            if ":" not in pool["Subnet"]:
                yield document["Name"], ipaddress.IPv4Network(pool["Subnet"], strict=False)


def routes(table: Path = Path("/proc/net/route")) -> list[Route]:
    """This machine's IPv4 routes but the default one; none where the system has no such table (proc_net(5))."""
    if not table.exists():
        return []
    found = []
    for line in table.read_text().splitlines()[1:]:
        device, destination, _, _, _, _, _, mask = line.split()[:8]
        address, bits = (int.from_bytes(bytes.fromhex(text), "little") for text in (destination, mask))
        if bits.bit_count() > _DEFAULT_BITS:
            found.append((device, ipaddress.IPv4Network((address, bits.bit_count()))))
    return found
