"""What is seen from beside the containers: by others on the networks, and by who has all secrets and looks for them."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence

from lucid.base.errors import Unavailable
from lucid.catalog.types import Network
from lucid.deploy.launch import checks_networks, look
from lucid.deploy.launch.checks import Failure, Result, Seen
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.expected import Expected

TOPICS = {
    "connections": "a network reaches what is on it and nothing else",
    "names": "a network knows the names of what is on it",
    "egress": "no route out of an internal network",
}


async def isolation(
    engine: Engine,
    image: str,
    networks: Sequence[Network],
    wanted: Mapping[str, Expected],
    found: Mapping[str, Seen],
) -> list[Result]:
    """What each network reaches and knows, of itself and of the others."""
    addresses = {name: _addresses(seen) for name, seen in found.items()}
    tried = checks_networks.attempts(networks, wanted, addresses)
    by_network = {each.name: [attempt for attempt in tried if attempt.network == each.name] for each in networks}
    names = list(addresses)
    asked = (
        look.from_network(engine, image, name, [(attempt.address, attempt.port) for attempt in attempts], names)
        for name, attempts in by_network.items()
    )
    try:
        answers = await asyncio.gather(*asked)
    except Unavailable as error:
        failure = Failure("networks", error.detail)
        return [Result(name, about, 0, (failure,)) for name, about in TOPICS.items()]
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
    looked = (len(tried), len(names) * len(networks), len(networks))
    return [
        Result(name, about, count, tuple(failures))
        for (name, about), count, failures in zip(TOPICS.items(), looked, (connected, resolved, routes), strict=True)
    ]


def _addresses(seen: Seen) -> dict[str, str]:
    """By network; a container that does not run has none."""
    networks = seen.inspected["NetworkSettings"]["Networks"]
    return {name: each["IPAddress"] for name, each in networks.items() if each["IPAddress"]}


async def secrets(engine: Engine, image: str, found: Mapping[str, Seen], folder: str) -> Result:
    """Whether a secret of that folder, of the machine that the engine runs on, stands where it can be read."""
    name, about = "secrets", "no secret in what the engine tells, in logs, environments and arguments"
    texts = dict(_told(found, await look.logs(engine, found)))
    try:
        answer = await look.leaks(engine, image, folder, texts)
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
