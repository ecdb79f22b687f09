"""What a catalog must be to be deployed: said before anything is rendered, not by an engine halfway through."""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from lucid.base.errors import InvalidInput
from lucid.catalog.types import PI_NETWORK, TRON_NETWORK
from lucid.deploy.catalog import Catalog, Piece

CROSSING = ("lucid-mongodb", "lucid-redis", "tron-client", "tron-payment-gateway")
"""Who may be on the network of the payment services and on that of all others."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")


def check(catalog: Catalog) -> None:
    """Raises InvalidInput that names the container and what is wrong with it."""
    for problem in _problems(catalog):
        raise InvalidInput(problem)


def _problems(catalog: Catalog) -> Iterator[str]:
    pieces: dict[str, Piece] = {}
    for piece in catalog.pieces:
        if not _NAME.fullmatch(piece.name):
            yield f"{piece.name!r}: expected a name of a-z 0-9 -, as hosts are named"
        if piece.name in pieces:
            yield f"{piece.name}: two containers have this name"
        pieces[piece.name] = piece
    for piece in catalog.pieces:
        yield from _of_phase(catalog, piece, pieces)
        yield from _of_networks(catalog, piece)
    yield from _of_ports(catalog)
    try:
        TopologicalSorter({piece.name: piece.container.after for piece in catalog.pieces}).prepare()
    except CycleError as error:
        yield f"started after one another, in a circle: {' <- '.join(error.args[1])}"


def _of_phase(catalog: Catalog, piece: Piece, pieces: dict[str, Piece]) -> Iterator[str]:
    if piece.phase not in {phase.number for phase in catalog.phases}:
        yield f"{piece.name}: there is no phase {piece.phase}"
    for name in piece.container.after:
        if name not in pieces:
            yield f"{piece.name}: started after {name}, which the catalog does not have"
        elif pieces[name].phase > piece.phase:
            yield f"{piece.name}: started after {name}, which is of a later phase"


def _of_networks(catalog: Catalog, piece: Piece) -> Iterator[str]:
    networks = [catalog.network(name) for name in piece.networks]
    if {PI_NETWORK, TRON_NETWORK} <= set(piece.networks) and piece.name not in CROSSING:
        yield f"{piece.name}: on both {PI_NETWORK} and {TRON_NETWORK}; only {', '.join(CROSSING)} may cross"
    if piece.container.published and all(network.internal for network in networks):
        yield f"{piece.name}: publishes a port, but is on networks without a way out only"


def _of_ports(catalog: Catalog) -> Iterator[str]:
    taken: dict[int, str] = {}
    for piece in catalog.pieces:
        for publish in piece.container.published:
            port = publish.host_port or publish.port
            if port in taken:
                yield f"{piece.name}: port {port} of the host is already that of {taken[port]}"
            taken[port] = piece.name
