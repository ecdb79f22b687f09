"""What a running container has to be, out of the catalog and the variables of its deployment."""

from collections.abc import Mapping
from dataclasses import dataclass

from lucid.base.errors import InvalidInput
from lucid.catalog.types import Service
from lucid.deploy import variables
from lucid.deploy.catalog import Piece
from lucid.deploy.container import folders, in_memory, secrets_of
from lucid.deploy.launch.values import mib
from lucid.deploy.shared import PROBE, PUBLIC_KEYS_DIR

SECCOMP_FILTER = 2
"""`Seccomp:` of /proc/PID/status (proc(5)) where a profile is on; 0 where none is."""


@dataclass(frozen=True)
class Expected:
    """One container. `mounts`: folder or file in it to that of the host and whether it may be written to. `published`:
    its port to the host's address and port. `listens`: the ports that it answers on. Memory in bytes, CPU in 10⁻⁹
    cores, `start_period_s` in seconds."""

    name: str
    image: str
    user: str
    read_only: bool
    shell: bool
    capabilities: frozenset[str]
    seccomp: int
    mounts: Mapping[str, tuple[str, bool]]
    tmpfs: frozenset[str]
    published: Mapping[int, tuple[str, int]]
    networks: frozenset[str]
    listens: tuple[int, ...]
    memory: int
    nano_cpus: int
    pids: int
    probe: tuple[str, ...]
    start_period_s: int


def expected(piece: Piece, values: Mapping[str, str]) -> Expected:
    """`values` are the variables that are set. Raises InvalidInput for one that is no number where one has to be."""
    kind = piece.container
    secrets_dir = variables.SECRETS_DIR.of(values)
    mounts = {target: (variables.fill(source, values), True) for source, target in folders(piece).items()}
    mounts |= {target: (f"{secrets_dir}/{file}", False) for file, target in secrets_of(piece).items()}
    if isinstance(piece, Service):
        mounts[PUBLIC_KEYS_DIR] = (variables.PUBLIC_KEYS_DIR.of(values), False)
    return Expected(
        name=piece.name,
        image=variables.fill(variables.image(piece.name), values),
        user=kind.user,
        read_only=kind.read_only,
        shell=kind.recipe == "desktop",
        capabilities=frozenset(kind.capabilities),
        seccomp=0 if values.get(variables.SECCOMP.name) == "unconfined" else SECCOMP_FILTER,
        mounts=mounts,
        tmpfs=frozenset(in_memory(piece)),
        published={
            publish.port: (
                variables.host_address(publish).of(values),
                int(_number(variables.host_port(piece, publish), values)),
            )
            for publish in kind.published
        },
        networks=frozenset(piece.networks),
        listens=(piece.port, *(piece.listens.values() if isinstance(piece, Service) else ())),
        memory=_bytes(variables.memory(piece), values),
        nano_cpus=round(_number(variables.cpus(piece), values) * 1e9),
        pids=piece.resources.pids,
        probe=kind.probe or PROBE,
        start_period_s=kind.start_period_s,
    )


def _number(variable: variables.Variable, values: Mapping[str, str]) -> float:
    text = variable.of(values)
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"{variable.name}: expected a number, not {text!r}") from None


def _bytes(variable: variables.Variable, values: Mapping[str, str]) -> int:
    text = variable.of(values)
    try:
        return int(mib(text) * 2**20)
    except ValueError:
        raise InvalidInput(f"{variable.name}: expected a size like 128m, not {text!r}") from None
