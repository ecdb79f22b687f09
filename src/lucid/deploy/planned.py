"""The containers of the spec that the catalog does not have yet: room is kept for them, and they are drawn dashed.

A name leaves this list by entering the catalog.
"""

from dataclasses import dataclass

from lucid.catalog.types import PI_NETWORK, TRON_NETWORK, Resources
from lucid.deploy.catalog import Catalog

SMALL = Resources(memory_mib=96, cpus=0.25)


@dataclass(frozen=True)
class Planned:
    """A container to come: its port, networks and budget."""

    name: str
    port: int
    networks: tuple[str, ...] = (TRON_NETWORK,)
    resources: Resources = SMALL
    phase: int = 4


_ALL = (
    Planned("admin-interface", 8120, (PI_NETWORK,), Resources(memory_mib=128, cpus=0.5)),
    Planned("tron-client", 8091, (PI_NETWORK, TRON_NETWORK)),
    Planned("tron-payment-gateway", 8097, (PI_NETWORK, TRON_NETWORK), Resources(memory_mib=128, cpus=0.5)),
    Planned("tron-payout-router", 8092),
    Planned("tron-wallet-manager", 8093),
    Planned("tron-usdt-manager", 8094),
    Planned("tron-staking", 8096),
)


def planned(catalog: Catalog) -> tuple[Planned, ...]:
    """What is still to come."""
    names = {piece.name for piece in catalog.pieces}
    return tuple(one for one in _ALL if one.name not in names)
