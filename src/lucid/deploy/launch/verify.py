"""`lucid deploy verify`: whether what runs is what the catalog says, container by container and network by network."""

import asyncio
from collections.abc import Mapping, Sequence

from lucid.catalog.types import Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.launch import checks_container, checks_inside, checks_networks, look, strangers
from lucid.deploy.launch.checks import Check, Failure, Result, Seen
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.expected import Expected, expected


async def verify(
    engine: Engine, catalog: Catalog, values: Mapping[str, str], *, phases: int | None = None
) -> list[Result]:
    """All checks of the containers of the first `phases` phases; None: of all. `values` are the variables of the
    deployment that are set. Raises Unavailable when the engine does not answer, and InvalidInput for a variable."""
    pieces = [piece for piece in catalog.pieces if phases is None or piece.phase <= phases]
    wanted = {piece.name: expected(piece, values) for piece in pieces}
    networks = [network for network in catalog.networks if any(network.name in piece.networks for piece in pieces)]
    documents, of_networks = await asyncio.gather(
        engine.inspect("container", list(wanted)),
        engine.inspect("network", [network.name for network in networks]),
    )
    found, unseen = await look.seen(engine, documents)
    results = [_present(wanted, found)]
    results += [_of_containers(check, wanted, found) for check in checks_container.CHECKS]
    results.append(_inside(found, unseen))
    inside = {name: each for name, each in found.items() if name not in unseen}
    results += [_of_containers(check, wanted, inside) for check in checks_inside.CHECKS]
    results.append(checks_networks.of_networks(networks, of_networks))
    there = [network for network in networks if any(each["Name"] == network.name for each in of_networks)]
    image = _image(pieces, inside)
    connections, secrets = await asyncio.gather(
        strangers.isolation(engine, image, there, wanted, found),
        strangers.secrets(engine, image, found, variables.SECRETS_DIR.of(values)),
    )
    return [*results, *connections, secrets]


def _present(wanted: Mapping[str, Expected], found: Mapping[str, Seen]) -> Result:
    failures = tuple(Failure(name, "there is no such container") for name in wanted if name not in found)
    return Result("present", "there is a container of each name", len(wanted), failures)


def _inside(found: Mapping[str, Seen], unseen: Mapping[str, str]) -> Result:
    """Without it nothing inside of the container is checked: that must not look like success."""
    failures = tuple(Failure(name, f"no program could be run in it: {why}") for name, why in unseen.items())
    return Result("inside", "could be looked at from within", len(found), failures)


def _of_containers(check: Check, wanted: Mapping[str, Expected], found: Mapping[str, Seen]) -> Result:
    failures = [Failure(name, problem) for name, seen in found.items() for problem in check.look(wanted[name], seen)]
    return Result(check.name, check.about, len(found), tuple(failures))


def _image(pieces: Sequence[Piece], inside: Mapping[str, Seen]) -> str:
    """The image of a service that runs, for strangers: it is on the engine's machine, whatever else is not. Empty when
    none runs."""
    names = (piece.name for piece in pieces if isinstance(piece, Service) and piece.container.recipe == "python")
    return next((str(inside[name].inspected["Image"]) for name in names if name in inside), "")
