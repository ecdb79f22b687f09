"""The networks of a deployment: the commands that make them, and the script of those commands."""

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from lucid.catalog.types import Network
from lucid.deploy.catalog import Catalog
from lucid.deploy.marks import MARK

SCRIPT = "configs/docker/networks.sh"
MTU = 1500

_SCRIPT = """\
#!/bin/sh
# {about} {mark}
#
# Run it as often as you like: a network that is there as it should be is left alone. One that differs is named and
# left alone too, and the exit status is 1: `docker network rm` it while nothing uses it, and run this again.
# DOCKER names another docker command; DOCKER_CONTEXT and DOCKER_HOST another engine.
set -eu

docker=${{DOCKER:-docker}}
format='{form}'
{setting}status=0

# network NAME SUBNET INTERNAL [OPTION...]
network() {{
    name=$1 subnet=$2 internal=$3
    shift 3
    if ! found=$("$docker" network inspect --format "$format" "$name" 2>/dev/null); then
        "$docker" network create "$name" --driver {driver} --subnet "$subnet" "$@" >/dev/null
        echo "$name: made"
    elif [ "$found" = "{wanted}" ]; then
        echo "$name: is there"
    else
        echo "$name: expected {terms} to be \\"{wanted}\\", found \\"$found\\"" >&2
        status=1
    fi
}}

{calls}
exit $status
"""


def network_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    calls = (_call(network) for network in catalog.networks)
    return {SCRIPT: script("The networks of Lucid.", Kind("bridge"), calls)}


@dataclass(frozen=True)
class Kind:
    """A driver of networks, and what the script looks at of a network that is there: `form` is a template of `docker
    network inspect`, `wanted` what it gives for a network as it should be, `terms` what that is in words. `setting` is
    a line of shell before all."""

    driver: str
    form: str = "{{range .IPAM.Config}}{{.Subnet}} {{end}}{{.Internal}}"
    wanted: str = "$subnet $internal"
    terms: str = "subnet and whether it is internal"
    setting: str = ""


def script(about: str, kind: Kind, calls: Iterable[str]) -> str:
    """A script that makes the networks of its calls to the shell function `network`."""
    return _SCRIPT.format(mark=MARK, about=about, calls="\n".join(calls), **asdict(kind))


def driver_options(network: Network) -> dict[str, str]:
    """What the driver is told. A network without host binding is internal: no route leads out of it or into it."""
    driver = {
        "com.docker.network.bridge.enable_icc": "true",
        "com.docker.network.bridge.enable_ip_masquerade": "false" if network.internal else "true",
        "com.docker.network.driver.mtu": str(MTU),
    }
    if network.host_binding:
        driver["com.docker.network.bridge.host_binding_ipv4"] = network.host_binding
    return driver


def options(network: Network) -> tuple[str, ...]:
    """The options of `docker network create` beyond name, driver and subnet."""
    return (
        *("--gateway", network.gateway, "--attachable"),
        *(("--internal",) if network.internal else ()),
        *(part for name, value in driver_options(network).items() for part in ("--opt", f"{name}={value}")),
    )


def create(network: Network) -> tuple[str, ...]:
    """The arguments of `docker` that make the network."""
    return ("network", "create", network.name, "--driver", "bridge", "--subnet", network.subnet, *options(network))


def _call(network: Network) -> str:
    first = shlex.join(("network", network.name, network.subnet, "true" if network.internal else "false"))
    words = options(network)
    lines, at = [shlex.join(words[: words.index("--opt")])], words.index("--opt")
    lines += [shlex.join(words[place : place + 2]) for place in range(at, len(words), 2)]
    return "\n".join((f"# {network.purpose}", " \\\n    ".join((first, *lines)), ""))
