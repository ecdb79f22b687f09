"""A deployment as the engine and the programs in it would tell of it, if all is as the catalog says."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lucid.catalog.types import Network
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.checks import Seen
from lucid.deploy.launch.engine import Command, Done, Engine
from lucid.deploy.launch.expected import Expected, expected
from lucid.deploy.networks import driver_options

CATALOG = Catalog()
WANTED = {piece.name: expected(piece, {}) for piece in CATALOG.pieces}
IMAGE = f"sha256:{'0a' * 32}"
XRDP_MASK = "00000000200000eb"
"""AUDIT_WRITE (29), SETUID (7), SETGID (6), KILL (5), FOWNER (3), DAC_OVERRIDE (1), CHOWN (0)."""


def process(pid: int, name: str, user: str = "65532", mask: str = "0" * 16) -> dict[str, Any]:
    ids = "\t".join([user] * 4)
    return {
        "pid": pid,
        "Name": name,
        "Uid": ids,
        "Gid": ids,
        "CapEff": mask,
        "CapBnd": mask,
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "environ": ["PATH=/usr/bin"],
        "cmdline": [name],
    }


def good(name: str) -> Seen:
    """The container as it has to be."""
    wanted = WANTED[name]
    mask = XRDP_MASK if wanted.capabilities else "0" * 16
    user = wanted.user.partition(":")[0]
    inside = {
        "processes": [process(1, "docker-init", user, mask), process(7, "python3", user, mask)],
        "written": "EROFS" if wanted.read_only else "",
    }
    shell = (0, "test\n") if wanted.shell else (127, 'exec: "sh": executable file not found in $PATH: unknown\n')
    return Seen(inspected(wanted), inside, shell)


def inspected(wanted: Expected) -> dict[str, Any]:
    """What of `docker inspect` is looked at."""
    return {
        "Name": f"/{wanted.name}",
        "Image": IMAGE,
        "State": {"Status": "running", "Health": {"Status": "healthy"}},
        "Config": {
            "Image": wanted.image,
            "User": wanted.user,
            "Env": ["PATH=/usr/bin"],
            "Healthcheck": {
                "Test": list(wanted.probe),
                "Interval": 30_000_000_000,
                "Timeout": 10_000_000_000,
                "StartPeriod": wanted.start_period_s * 1_000_000_000,
                "Retries": 3,
            },
        },
        "HostConfig": {
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": [f"CAP_{name}" for name in wanted.capabilities] or None,
            "SecurityOpt": ["no-new-privileges:true", "no-new-privileges"],
            "PidMode": "",
            "UTSMode": "",
            "UsernsMode": "",
            "IpcMode": "private",
            "Devices": None,
            "ReadonlyRootfs": wanted.read_only,
            "Tmpfs": dict.fromkeys(wanted.tmpfs, "rw,noexec"),
            "Memory": wanted.memory,
            "MemorySwap": wanted.memory,
            "NanoCpus": wanted.nano_cpus,
            "PidsLimit": wanted.pids,
            "LogConfig": {
                "Type": "json-file",
                "Config": {"max-size": "10m", "max-file": "3", "tag": "{{.Name}}"},
            },
            "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        },
        "Mounts": [
            {"Type": "bind", "Source": source, "Destination": target, "RW": writable}
            for target, (source, writable) in wanted.mounts.items()
        ],
        "NetworkSettings": {
            "Ports": {"12080/tcp": None}
            | {
                f"{inside}/tcp": [{"HostIp": address, "HostPort": str(port)}]
                for inside, (address, port) in wanted.published.items()
            },
            "Networks": {network: {"IPAddress": _address(wanted.name, network)} for network in wanted.networks},
        },
    }


def _address(name: str, network: str) -> str:
    return f"172.{20 if network == 'lucid-pi-network' else 21}.0.{list(WANTED).index(name) + 2}"


def inspected_network(network: Network) -> dict[str, Any]:
    return {
        "Name": network.name,
        "Driver": "bridge",
        "IPAM": {"Config": [{"Subnet": network.subnet, "Gateway": network.gateway}]},
        "Internal": network.internal,
        "Attachable": True,
        "Options": driver_options(network),
    }


@dataclass(frozen=True)
class FakeEngine(Engine):
    """An engine with a deployment that is as it has to be, but for what a test spoils: `containers` and `networks` are
    what it tells of, `reachable` says which places answer, beyond those on the same network, `found` which secrets."""

    docker: str = "docker"
    containers: dict[str, Seen] = field(default_factory=lambda: {name: good(name) for name in WANTED})
    networks: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {network.name: inspected_network(network) for network in CATALOG.networks}
    )
    reachable: Callable[[str, str, int], bool] = lambda _network, _address, _port: False
    known: Callable[[str, str], str] = lambda _network, _name: ""
    route_out: bool = False
    leaks: list[tuple[str, str]] = field(default_factory=list)
    secrets: Mapping[str, object] = field(default_factory=lambda: {"secrets": 30})
    texts: dict[str, str] = field(default_factory=dict)

    async def run(self, command: Command) -> Done:
        match command.arguments:
            case ("container", "inspect", *names):
                return self._inspected({name: seen.inspected for name, seen in self.containers.items()}, names)
            case ("network", "inspect", *names):
                return self._inspected(self.networks, names)
            case ("exec", name, "sh", *_):
                status, said = self.containers[name].shell
                return Done(status, "", said)
            case ("exec", name, *_):
                inside = self.containers[name].inside
                return Done(0, json.dumps(inside), "") if inside else Done(1, "", "OCI runtime exec failed")
            case ("logs", *_):
                return Done(0, "it runs\n", "")
            case ("run", *arguments) if "none" in arguments and command.given:
                self.texts.update(json.loads(command.given))
                return Done(0, json.dumps({**self.secrets, "leaks": self.leaks}), "")
            case ("run", *arguments):
                network = arguments[arguments.index("--network") + 1]
                return Done(0, json.dumps(self._reached(network, *json.loads(arguments[-1]))), "")
        raise AssertionError(command.arguments)

    @staticmethod
    def _inspected(known: Mapping[str, Any], names: list[str]) -> Done:
        missing = [name for name in names if name not in known]
        error = "".join(f"Error: No such object: {name}\n" for name in missing)
        return Done(1 if missing else 0, json.dumps([known[name] for name in names if name in known]), error)

    def _reached(self, network: str, places: list[tuple[str, int]], names: list[str]) -> dict[str, object]:
        on_it = {
            name: seen.inspected["NetworkSettings"]["Networks"].get(network) for name, seen in self.containers.items()
        }
        addresses = {name: entry["IPAddress"] for name, entry in on_it.items() if entry}
        return {
            "connected": [
                ""
                if address in addresses.values() or self.reachable(network, address, port)
                else "Network is unreachable"
                for address, port in places
            ],
            "resolved": [addresses.get(name, "") or self.known(network, name) for name in names],
            "route_out": self.route_out if network == "lucid-tron-isolated" else True,
        }
