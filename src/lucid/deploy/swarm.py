"""The Swarm stack: the same containers, spread over several machines."""

from lucid.catalog.keys import KEYS, OPERATOR, identity_key
from lucid.catalog.types import Key, Publish, Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.container import command_of, exceptions, folders, in_memory, literal, own_health, secret_name, told_of
from lucid.deploy.container import secrets_of as files_of
from lucid.deploy.machines import NETWORKS, used
from lucid.deploy.marks import MARK
from lucid.deploy.shared import PUBLIC_KEYS_DIR, restrictions
from lucid.deploy.shared import environment as shared_environment
from lucid.deploy.shared import healthcheck as shared_healthcheck
from lucid.deploy.variables import Variable
from lucid.deploy.yamltext import MERGE, Alias, Anchor, Flow, Node, Noted, Octal, Spaced, dump

STACK = "configs/docker/swarm/lucid-stack.yml"
VERSION = Variable("LUCID_SECRETS_VERSION", "1", "part of the names of secrets: Swarm never changes one, so count up")
KINDS_WITH_PUBLIC_HALF = {"age-identity", "log-key", "identity-key"}

_NOTE = """\
All phases as a Swarm stack: {count} containers. {mark}

On the manager, as root, once `docker node update --label-add` has given the label `lucid.data=true` to the machine
whose disk holds the data, and `lucid.node=true` to each where the containers without data may run:

  lucid deploy unlock
  set -a; for phase in {phases}; do . /run/lucid/environment/.env.$phase; done; set +a
  {networks}
  docker stack deploy --detach=true --resolve-image never -c {stack} lucid

What Swarm ignores, and what makes up for it:
  security_opt   No image but rdp-xrdp's holds a set-uid program or a shell, all capabilities are dropped and the user
                 is 65532: there is nothing to gain privileges by. `"no-new-privileges": true` in the daemon.json of
                 each machine gives the option back. The engine's own seccomp profile holds in any case.
  ipc            Private is what the engine does unless it is told otherwise.
  depends_on     Services ask again, less and less often, until those that they need answer.
  memswap_limit  Machines of a Swarm should have no swap.
  host address   A port in host mode is open on every address of its machine: those of the stores are not published.
  gateway        Overlay networks have no address of the host in them; out goes docker_gwbridge, which joins no two
                 containers."""


def swarm_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    pieces = catalog.pieces
    secrets = sorted({file for piece in pieces for file in files_of(piece)}, key=secret_name)
    public = _public_halves(catalog)
    document: dict[str, Node] = {
        "x-container": Anchor("container", restrictions()),
        "x-healthcheck": shared_healthcheck(),
        "x-environment": shared_environment(),
        "x-deploy": _deploy(),
        "x-public-keys": Noted(
            "The public halves of all keys: by them services know each other.",
            Anchor("public-keys", [_config(key) for key in public]),
        ),
        "services": Spaced({piece.name: _service(piece) for piece in pieces}),
        "networks": Noted(
            f"Made by {NETWORKS}: only there can their encryption be a choice.",
            {network.name: Flow({"name": network.name, "external": True}) for network in used(catalog)},
        ),
        "secrets": Noted(
            f"Read from the manager's {variables.SECRETS_DIR.default} when the stack is deployed; count "
            f"{VERSION.name} up to change one.",
            {secret_name(file): _versioned(secret_name(file), f"{variables.SECRETS_DIR}/{file}") for file in secrets},
        ),
        "configs": {
            _config_name(key): _versioned(_config_name(key), f"{variables.PUBLIC_KEYS_DIR}/{key.name}.pub")
            for key in public
        },
    }
    phases = " ".join(phase.name for phase in catalog.phases)
    return {
        STACK: dump(document, _NOTE.format(count=len(pieces), mark=MARK, stack=STACK, networks=NETWORKS, phases=phases))
    }


def _deploy() -> Node:
    return Noted(
        "One of each, stopped before the next is started: it has its ports and its data alone. A task counts as\n"
        "running once it is healthy; an update by which it does not get so, or stay so for `monitor`, is taken back.",
        Anchor(
            "deploy",
            {
                "mode": "replicated",
                "replicas": 1,
                "endpoint_mode": "dnsrr",
                "update_config": {
                    "parallelism": 1,
                    "order": "stop-first",
                    "failure_action": "rollback",
                    "monitor": "120s",
                    "max_failure_ratio": 0,
                },
                "rollback_config": {"parallelism": 1, "order": "stop-first", "monitor": "60s"},
                "restart_policy": {"condition": "any", "delay": "2s"},
            },
        ),
    )


def _service(piece: Piece) -> Node:
    kind = piece.container
    entry: dict[str, Node] = {MERGE: Alias("container"), "image": variables.image(piece.name)}
    if command := command_of(piece):
        entry["command"] = Flow([literal(word) for word in command])
    entry |= exceptions(kind)
    if told := told_of(piece):
        entry["environment"] = told
    uid, gid = kind.user.split(":")
    entry["secrets"] = [
        Flow({"source": secret_name(file), "target": target, "uid": uid, "gid": gid, "mode": Octal(0o400)})
        for file, target in files_of(piece).items()
    ]
    if isinstance(piece, Service):
        entry["configs"] = Alias("public-keys")
    entry["volumes"] = [
        *(Flow({"type": "bind", "source": source, "target": target}) for source, target in folders(piece).items()),
        *(
            Flow({"type": "tmpfs", "target": folder, "tmpfs": Flow({"size": mib * 2**20})})
            for folder, mib in in_memory(piece).items()
        ),
    ]
    entry["networks"] = Flow(list(piece.networks))
    if ports := [_port(piece, publish) for publish in kind.published if publish.bind == variables.BIND_PUBLIC.name]:
        entry["ports"] = ports
    entry["healthcheck"] = own_health(kind)
    entry["deploy"] = {MERGE: Alias("deploy"), **_placed(piece)}
    return Noted(f"{piece.summary[0].upper()}{piece.summary[1:]}.", entry)


def _placed(piece: Piece) -> dict[str, Node]:
    label = "data" if not isinstance(piece, Service) or "data" in piece.volumes else "node"
    limits: dict[str, Node] = {
        "memory": str(variables.memory(piece)),
        "cpus": str(variables.cpus(piece)),
        "pids": piece.resources.pids,
    }
    return {
        "placement": {"constraints": Flow([f"node.labels.lucid.{label} == true"])},
        "resources": {"limits": Flow(limits)},
    }


def _port(piece: Piece, publish: Publish) -> Node:
    """In host mode: the routing mesh needs IPVS, and hides who connects."""
    return Flow({"target": publish.port, "published": str(variables.host_port(piece, publish)), "mode": "host"})


def _public_halves(catalog: Catalog) -> tuple[Key, ...]:
    callers = (*(service.name for service in catalog.services), OPERATOR)
    keys = (*KEYS, *(identity_key(caller) for caller in callers))
    return tuple(key for key in keys if key.kind in KINDS_WITH_PUBLIC_HALF)


def _config_name(key: Key) -> str:
    return f"{secret_name(key.name)}-pub"


def _config(key: Key) -> Node:
    return Flow({"source": _config_name(key), "target": f"{PUBLIC_KEYS_DIR}/{key.name}.pub", "mode": Octal(0o444)})


def _versioned(name: str, file: str) -> Node:
    return Flow({"name": f"lucid-{name}-{VERSION}", "file": file})
