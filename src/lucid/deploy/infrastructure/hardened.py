"""The hardened variant of the services: as in the phases' files, with what is left of freedom taken away."""

from lucid.deploy import compose, variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.container import container, secret_name, secrets_of
from lucid.deploy.marks import MARK
from lucid.deploy.shared import compose_blocks
from lucid.deploy.yamltext import MERGE, Alias, Anchor, Flow, Node, Noted, Spaced, dump

_NOTE = f"""\
All services that run without root and without a shell, hardened beyond the phases' files: nothing is published but on
LUCID_BIND_DATA (default: this host alone), nobody listens on a port below 1024, no switch turns seccomp off, each may
start few processes, and one that fails again and again stays down for a person to look at. rdp-xrdp is left out: it
makes Unix accounts and needs root; register desktops of other machines instead (`lucid host add`).

It is given in place of docker-compose.all.yml:

  {{command}}

{MARK}"""


def hardened_file(catalog: Catalog, path: str) -> str:
    """The text of the file."""
    pieces = tuple(piece for piece in catalog.pieces if not piece.container.exception)
    networks = sorted({network for piece in pieces for network in piece.networks})
    secrets = sorted({file for piece in pieces for file in secrets_of(piece)}, key=secret_name)
    document: dict[str, Node] = {
        **compose_blocks(),
        "x-hardened": Anchor(
            "hardened",
            {
                MERGE: Alias("container"),
                "restart": "on-failure:5",
                "security_opt": ["no-new-privileges:true"],
                "cgroup": "private",
                "shm_size": "1m",
                "sysctls": {"net.ipv4.ip_unprivileged_port_start": 1024, "net.ipv4.conf.all.accept_redirects": 0},
                "ulimits": {"nofile": Flow({"soft": 8192, "hard": 8192}), "core": 0},
            },
        ),
        "name": compose.PROJECT,
        "services": Spaced({piece.name: _hardened(catalog, piece) for piece in pieces}),
        "networks": {name: Flow({"external": True}) for name in networks},
        "secrets": {secret_name(file): Flow({"file": f"{variables.SECRETS_DIR}/{file}"}) for file in secrets},
    }
    return dump(document, _NOTE.format(command=compose.command(catalog, path, len(catalog.phases))))


def _hardened(catalog: Catalog, piece: Piece) -> Node:
    before = catalog.started_before(piece)
    entry = container(piece, {name: Flow({"condition": condition}) for name, condition in before.items()})
    entry[MERGE] = Alias("hardened")
    if "ports" in entry:
        entry["ports"] = [
            {
                "target": publish.port,
                "published": str(variables.host_port(piece, publish)),
                "host_ip": str(variables.BIND_DATA),
            }
            for publish in piece.container.published
        ]
    entry["pids_limit"] = min(piece.resources.pids, 128)
    return Noted(f"{piece.summary[0].upper()}{piece.summary[1:]}.", entry)
