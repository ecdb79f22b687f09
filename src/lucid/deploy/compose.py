"""The Compose files: one a phase, and the master file with all of them."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from lucid.catalog.networks import MASTER_FILE
from lucid.catalog.types import Phase
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.container import container, secret_name, secrets_of
from lucid.deploy.marks import MARK
from lucid.deploy.shared import PROBE, compose_blocks, restrictions
from lucid.deploy.yamltext import Flow, Node, Noted, Spaced, dump

PROJECT = "lucid"
"""All phases are one project: each file adds to it what the files before it began."""

_EMPTY = "empty-phase.yml"
_EMPTY_NOTE = f"""\
For the phase that nothing is in yet: where there is no service at all, Compose exits with 1. {MARK}

This one never gets a container, and its image is not asked for."""


def compose_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    files = {phase.compose_file: phase_file(catalog, phase) for phase in catalog.phases}
    empty = {_beside(phase): _empty_file() for phase in catalog.phases if not catalog.of_phase(phase)}
    return {**files, **empty, MASTER_FILE: master_file(catalog)}


def phase_file(catalog: Catalog, phase: Phase) -> str:
    """The file of one phase. Of what its containers are started after, it names those of the phase itself."""
    pieces = catalog.of_phase(phase)
    note = [f"Phase {phase.number}: {phase.title}. {MARK}", ""]
    if pieces:
        note += [*_listed(pieces), "", "Start it when the phases before are healthy:", ""]
    else:
        note += ["The catalog holds nothing of this phase yet: there is nothing to start.", ""]
    note.append(f"  {command(catalog, phase.compose_file, phase.number)}")
    return _file(catalog, pieces, "\n".join(note))


def master_file(catalog: Catalog) -> str:
    """All phases together."""
    pieces = catalog.pieces
    note = [
        f"All phases: {len(pieces)} containers. {MARK}",
        "",
        *(f"{phase.number}  {phase.title}: {_names(catalog.of_phase(phase))}" for phase in catalog.phases),
        "",
        f"  {command(catalog, MASTER_FILE, len(catalog.phases))}",
    ]
    return _file(catalog, pieces, "\n".join(note))


def command(catalog: Catalog, file: str, phases: int) -> str:
    """How a file is started, with the environment files of the first `phases` phases."""
    given = "".join(f"--env-file {phase.environment_file} " for phase in catalog.phases if phase.number <= phases)
    return f"docker-compose {given}-f {file} up -d"


def _file(catalog: Catalog, pieces: tuple[Piece, ...], note: str) -> str:
    document: dict[str, Node] = {**(compose_blocks() if pieces else {}), "name": PROJECT}
    if not pieces:
        document["include"] = Noted(
            "Compose takes no file without any service: this has one without a container.", [_EMPTY]
        )
    document["services"] = Spaced({piece.name: _service(catalog, piece, pieces) for piece in pieces})
    document |= _networks(pieces)
    secrets = sorted({file for piece in pieces for file in secrets_of(piece)}, key=secret_name)
    if secrets:
        document["secrets"] = Noted(
            "Files of mode 0400 and user 65532, in memory: `lucid deploy unlock` puts them there.",
            {secret_name(file): Flow({"file": f"{variables.SECRETS_DIR}/{file}"}) for file in secrets},
        )
    return dump(document, note)


def _beside(phase: Phase) -> str:
    return str(PurePosixPath(phase.compose_file).with_name(_EMPTY))


def _empty_file() -> str:
    nothing: dict[str, Node] = {
        "image": variables.image("lucid-base"),
        "scale": 0,
        "pull_policy": "never",
        "network_mode": "none",
        **restrictions(),
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": "16m",
        "cpus": 0.1,
        "pids_limit": 16,
        "healthcheck": {"test": Flow(list(PROBE))},
    }
    document: dict[str, Node] = {"name": PROJECT, "services": {"nothing": nothing}}
    return dump(document, _EMPTY_NOTE)


def _service(catalog: Catalog, piece: Piece, pieces: tuple[Piece, ...]) -> Node:
    names = {other.name for other in pieces}
    before = catalog.started_before(piece)
    conditions = {name: Flow({"condition": condition}) for name, condition in before.items() if name in names}
    return Noted(f"{piece.summary[0].upper()}{piece.summary[1:]}.", container(piece, conditions))


def _networks(pieces: Iterable[Piece]) -> Mapping[str, Node]:
    names = sorted({network for piece in pieces for network in piece.networks})
    if not names:
        return {}
    return {
        "networks": Noted(
            "Made before: by `lucid deploy up`, or configs/docker/networks.sh.",
            {name: Flow({"external": True}) for name in names},
        )
    }


def _listed(pieces: Iterable[Piece]) -> list[str]:
    return [f"  {piece.name}: {piece.summary}" for piece in pieces]


def _names(pieces: tuple[Piece, ...]) -> str:
    return ", ".join(piece.name for piece in pieces) or "none yet"
