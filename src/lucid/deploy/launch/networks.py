"""The networks of a deployment, on an engine: made where they are missing."""

from collections.abc import Sequence
from typing import Any

from lucid.base.errors import Conflict
from lucid.catalog.types import Network
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.progress import Show, Step
from lucid.deploy.networks import create


async def make_networks(engine: Engine, networks: Sequence[Network], show: Show) -> None:
    """Make those that are missing. Raises Conflict for one that is there and differs, Unavailable when one cannot be
    made."""
    there = {found["Name"]: found for found in await engine.inspect("network", [network.name for network in networks])}
    for network in networks:
        if network.name not in there:
            await engine.text(*create(network))
            show(Step(f"network {network.name} made"))
        elif problem := _difference(network, there[network.name]):
            raise Conflict(f"network {network.name}: {problem}; `docker network rm` it while nothing uses it")


def _difference(network: Network, found: dict[str, Any]) -> str:
    subnets = [one["Subnet"] for one in found["IPAM"]["Config"] or ()]
    if subnets != [network.subnet]:
        return f"expected the subnet {network.subnet}, found {', '.join(subnets) or 'none'}"
    if found["Internal"] != network.internal:
        return "expected it to be internal" if network.internal else "expected it not to be internal"
    return ""
