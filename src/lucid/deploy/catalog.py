"""The catalog as the renderers take it: whole, so that a test can render another one."""

from dataclasses import dataclass
from typing import TypeAlias

from lucid.base.errors import InvalidInput
from lucid.catalog.networks import NETWORKS, PHASES
from lucid.catalog.services import SERVICES
from lucid.catalog.stores import STORES
from lucid.catalog.types import Network, Phase, Service, Store

Piece: TypeAlias = Store | Service
"""What runs as one container of a phase."""


@dataclass(frozen=True)
class Catalog:
    """Everything that is deployed."""

    services: tuple[Service, ...] = SERVICES
    stores: tuple[Store, ...] = STORES
    networks: tuple[Network, ...] = NETWORKS
    phases: tuple[Phase, ...] = PHASES

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All containers, by phase, stores first."""
        return tuple(sorted((*self.stores, *self.services), key=lambda piece: piece.phase))

    def of_phase(self, phase: Phase) -> tuple[Piece, ...]:
        """The containers of one phase."""
        return tuple(piece for piece in self.pieces if piece.phase == phase.number)

    def network(self, name: str) -> Network:
        """Raises InvalidInput for a network that the catalog does not have."""
        for network in self.networks:
            if network.name == name:
                return network
        raise InvalidInput(f"network {name}: the catalog has none of that name")

    def started_before(self, piece: Piece) -> dict[str, str]:
        """What `piece` is started after, with what it waits for. A service that needs `piece` itself to become healthy
        has only to be started: to wait for its health would be to wait forever."""
        pieces = {other.name: other for other in self.pieces}
        return {
            name: "service_started" if _needs(pieces[name], piece) else "service_healthy"
            for name in piece.container.after
        }


def _needs(one: Piece, other: Piece) -> bool:
    return isinstance(one, Service) and isinstance(other, Service) and bool(set(one.needs) & set(other.provides))
