"""Checks of networks: what the engine says of them, and what can be reached from each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lucid.catalog.types import Network
from lucid.deploy.launch.checks import Document, Failure, Result, differs
from lucid.deploy.launch.expected import Expected
from lucid.deploy.networks import driver_options

OUTSIDE = ("192.0.2.1", 80)
"""An address of nobody (RFC 5737): it is the route there that must not be."""

UNSAID = {
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",  # noqa: S104 - what the driver does
    "com.docker.network.driver.mtu": "1500",
}
"""What the bridge driver does where a network's options do not say."""


@dataclass(frozen=True)
class Attempt:
    """A connection from a network to a place, which has to be `open` or not; None: it may be either."""

    network: str
    to: str
    address: str
    port: int
    open: bool | None


def declared(network: Network, found: Document) -> Iterator[str]:
    """What `docker network inspect` says against the catalog."""
    pools = found["IPAM"]["Config"] or []
    yield from differs("driver", "bridge", found["Driver"])
    yield from differs("subnet", network.subnet, ", ".join(pool["Subnet"] for pool in pools))
    yield from differs("gateway", network.gateway, ", ".join(pool.get("Gateway", "none") for pool in pools))
    yield from differs("internal", network.internal, found["Internal"])
    yield from differs("attachable", True, found["Attachable"])
    options, wanted = found["Options"] or {}, driver_options(network)
    for name in sorted({*wanted, *options}):
        is_so = options.get(name) or (UNSAID.get(name) if name in wanted else None)
        yield from differs(name.removeprefix("com.docker.network."), wanted.get(name), is_so)


def attempts(
    networks: Iterable[Network], containers: Mapping[str, Expected], addresses: Mapping[str, Mapping[str, str]]
) -> list[Attempt]:
    """What a stranger on each network tries: every port of every container, on each address that it has
    (`addresses`: by container and network), the published ports at the gateways, and the world outside of an internal
    network. Open has to be what is on that very network, and nothing else."""
    networks = list(networks)
    tried = []
    for network in networks:
        for name, has in addresses.items():
            for other, address in has.items():
                tried += [
                    Attempt(network.name, name, address, port, open=must if other == network.name else False)
                    for port, must in _ports(containers[name])
                ]
        if network.internal:
            tried += [
                Attempt(network.name, f"{name} as published", gateway.gateway, port, open=False)
                for gateway in networks
                for name, container in containers.items()
                for _, port in container.published.values()
            ]
            tried.append(Attempt(network.name, "the world", *OUTSIDE, open=False))
    return tried


def _ports(container: Expected) -> Iterator[tuple[int, bool | None]]:
    first, *further = container.listens
    yield first, True
    yield from ((port, True if port in container.published else None) for port in further)


def reached(tried: Iterable[Attempt], answers: Iterable[str]) -> Iterator[Failure]:
    """`answers`: empty where there was a connection, else why not."""
    for attempt, answer in zip(tried, answers, strict=True):
        place = f"{attempt.to} ({attempt.address}:{attempt.port})"
        if attempt.open and answer:
            yield Failure(attempt.network, f"{place}: expected to be reached, found {answer}")
        elif attempt.open is False and not answer:
            yield Failure(attempt.network, f"{place}: expected to be out of reach, found a connection")


def named(
    network: str, names: Iterable[str], answers: Iterable[str], addresses: Mapping[str, Mapping[str, str]]
) -> Iterator[Failure]:
    """Names resolve to addresses of that network, and to nothing for who is not on it."""
    for name, answer in zip(names, answers, strict=True):
        yield from (Failure(network, each) for each in differs(name, addresses[name].get(network, ""), answer))


def of_networks(networks: Iterable[Network], found: Iterable[Document]) -> Result:
    by_name = {each["Name"]: each for each in found}
    networks, failures = list(networks), []
    for network in networks:
        document = by_name.get(network.name)
        problems = declared(network, document) if document else ["there is none"]
        failures += [Failure(network.name, problem) for problem in problems]
    about = "subnet, gateway, isolation and options as declared"
    return Result("network-options", about, len(networks), tuple(failures))
