"""`lucid deploy verify`: whether what runs is what the catalog says, container by container and network by network."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence

from lucid.base.errors import Unavailable
from lucid.catalog.types import Network, Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.launch import checks_container, checks_inside, checks_networks, look
from lucid.deploy.launch.checks import Check, Failure, Result, Seen
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.expected import Expected, expected, fill

Addresses = Mapping[str, Mapping[str, str]]


async def verify(
    engine: Engine, catalog: Catalog, values: Mapping[str, str], *, phases: int | None = None
) -> list[Result]:
    """All checks of the containers of the first `phases` phases; None: of all. `values` are the variables of the
    deployment that are set. Raises Unavailable when the engine does not answer, and InvalidInput for a variable."""
    pieces = [piece for piece in catalog.pieces if phases is None or piece.phase <= phases]
    wanted = {piece.name: expected(piece, values) for piece in pieces}
    networks = [network for network in catalog.networks if any(network.name in piece.networks for piece in pieces)]
    documents, of_networks = await asyncio.gather(
        look.inspected(engine, "container", list(wanted)),
        look.inspected(engine, "network", [network.name for network in networks]),
    )
    found, unseen = await look.seen(engine, documents)
    results = [_present(wanted, found)]
    results += [_of_containers(check, wanted, found) for check in checks_container.CHECKS]
    results.append(_inside(found, unseen))
    inside = {name: each for name, each in found.items() if name not in unseen}
    results += [_of_containers(check, wanted, inside) for check in checks_inside.CHECKS]
    results.append(checks_networks.of_networks(networks, of_networks))
    there = [network for network in networks if any(each["Name"] == network.name for each in of_networks)]
    if image := _image(pieces, inside):
        connections, secrets = await asyncio.gather(
            _isolation(engine, image, there, wanted, found), _secrets(engine, image, found, values)
        )
        results += [*connections, secrets]
    else:
        nowhere = Failure("the deployment", "no service runs from whose image one could look")
        results.append(Result("connections", "a network reaches what is on it and nothing else", 0, (nowhere,)))
    return results


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
    """The image of a service that runs: it is on the engine's machine, whatever else is not."""
    names = (piece.name for piece in pieces if isinstance(piece, Service) and piece.container.recipe == "python")
    return next((str(inside[name].inspected["Image"]) for name in names if name in inside), "")


async def _isolation(
    engine: Engine,
    image: str,
    networks: Sequence[Network],
    wanted: Mapping[str, Expected],
    found: Mapping[str, Seen],
) -> list[Result]:
    addresses = {name: _addresses(seen) for name, seen in found.items()}
    tried = checks_networks.attempts(networks, wanted, addresses)
    by_network = {each.name: [attempt for attempt in tried if attempt.network == each.name] for each in networks}
    names = list(addresses)
    answers = await asyncio.gather(
        *(
            look.from_network(engine, image, name, [(attempt.address, attempt.port) for attempt in attempts], names)
            for name, attempts in by_network.items()
        )
    )
    said = dict(zip(by_network, answers, strict=True))
    connected = [
        failure
        for name, attempts in by_network.items()
        for failure in checks_networks.reached(attempts, said[name]["connected"])
    ]
    resolved = [
        failure
        for name in by_network
        for failure in checks_networks.named(name, names, said[name]["resolved"], addresses)
    ]
    routes = [
        Failure(network.name, "expected no route out, found one")
        for network in networks
        if network.internal and said[network.name]["route_out"]
    ]
    return [
        Result("connections", "a network reaches what is on it and nothing else", len(tried), tuple(connected)),
        Result("names", "a network knows the names of what is on it", len(names) * len(networks), tuple(resolved)),
        Result("egress", "no route out of an internal network", len(networks), tuple(routes)),
    ]


def _addresses(seen: Seen) -> dict[str, str]:
    """By network; a container that does not run has none."""
    networks = seen.inspected["NetworkSettings"]["Networks"]
    return {name: each["IPAddress"] for name, each in networks.items() if each["IPAddress"]}


async def _secrets(engine: Engine, image: str, found: Mapping[str, Seen], values: Mapping[str, str]) -> Result:
    name, about = "secrets", "no secret in what the engine tells, in logs, environments and arguments"
    texts = dict(_told(found, await look.logs(engine, found)))
    try:
        answer = await look.leaks(engine, image, fill(str(variables.SECRETS_DIR), values), texts)
    except Unavailable as error:
        return Result(name, about, 0, (Failure("secrets", error.detail),))
    if not answer["secrets"]:
        return Result(name, about, 0, (Failure("secrets", "the folder of secrets is empty: nothing to compare with"),))
    failures = []
    for where, secret in answer["leaks"]:
        container, _, place = where.partition(" ")
        failures.append(Failure(container, f"{secret} stands in {place}"))
    return Result(name, about, len(texts), tuple(failures))


def _told(found: Mapping[str, Seen], logs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What may be read of a container without being in it, and what programs in it are told; by place."""
    for name, seen in found.items():
        yield f"{name} docker inspect", json.dumps(seen.inspected, ensure_ascii=False)
        yield f"{name} docker logs", logs[name]
        for process in seen.inside.get("processes", ()):
            of = f"{process['Name']} ({process['pid']})"
            yield f"{name} the environment of {of}", "\n".join(process["environ"])
            yield f"{name} the arguments of {of}", "\n".join(process["cmdline"])
