"""docs/deployment.md: prose from deployment.md beside this file, with tables out of the catalog in it."""

import re
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files

from lucid.catalog.keys import private_keys
from lucid.catalog.types import Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.container import folders, passwords_of, settings_variables
from lucid.deploy.marks import MARK
from lucid.deploy.measured import AT_REST_MIB
from lucid.deploy.planned import planned
from lucid.deploy.variables import Variable

PAGE = "docs/deployment.md"
_PLACE = re.compile(r"^\{\{ (\w+) \}\}$", re.MULTILINE)


def page_files(catalog: Catalog) -> dict[str, str]:
    """Path to text. Raises KeyError for a place in the prose that no table is for."""
    prose = files("lucid.deploy").joinpath("deployment.md").read_text()
    text = _PLACE.sub(lambda place: "\n".join(_TABLES[place[1]](catalog)), prose)
    return {PAGE: f"<!-- {MARK} Its prose: src/lucid/deploy/deployment.md. -->\n\n{text}"}


def _table(columns: str, rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    heads = columns.split("|")
    yield f"| {' | '.join(head.strip('>') for head in heads)} |"
    yield f"|{'|'.join('--:' if head.startswith('>') else '---' for head in heads)}|"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _containers(catalog: Catalog) -> Iterator[str]:
    def row(piece: Piece) -> tuple[object, ...]:
        image = f"`{variables.IMAGE_PREFIX.default}{variables.short_name(piece.name)}:{variables.IMAGE_TAG.default}`"
        return (piece.phase, f"`{piece.name}`", _ports(piece), _published(piece), image, piece.summary)

    return _table("phase|container|ports in it|on the host|image|what it does", map(row, catalog.pieces))


def _ports(piece: Piece) -> str:
    further = piece.listens.values() if isinstance(piece, Service) else ()
    return ", ".join(str(port) for port in (piece.port, *further))


def _published(piece: Piece) -> str:
    return ", ".join(
        f"{publish.host_port or publish.port} on `{publish.bind}`" for publish in piece.container.published
    )


def _networks(catalog: Catalog) -> Iterator[str]:
    def members(name: str) -> str:
        found = [piece.name for piece in catalog.pieces if name in piece.networks]
        everything = len(found) == len(catalog.pieces)
        return "all of the phases above" if everything else ", ".join(f"`{one}`" for one in found)

    rows = (
        (
            f"`{network.name}`",
            network.subnet,
            network.gateway,
            "no" if network.internal else "yes",
            members(network.name),
            network.purpose,
        )
        for network in catalog.networks
    )
    return _table("network|subnet|gateway|route out|who is on it|for", rows)


def _folders(catalog: Catalog) -> Iterator[str]:
    def rows() -> Iterator[tuple[object, ...]]:
        for piece in catalog.pieces:
            held = {
                source.replace(str(variables.DATA_ROOT), variables.DATA_ROOT.default): target
                for source, target in folders(piece).items()
                if source.startswith(str(variables.DATA_ROOT))
            }
            for source, target in held.items():
                yield f"`{source}`", f"`{target}`", piece.summary

    yield from _table("folder of the host|in the container|of", rows())


def _dependencies(catalog: Catalog) -> Iterator[str]:
    providers = {
        port: piece.name
        for piece in catalog.pieces
        for port in (piece.provides if isinstance(piece, Service) else (piece.provides,))
    }

    def row(piece: Piece) -> tuple[object, ...]:
        before = catalog.started_before(piece)
        waits = [f"{name}{'' if how == 'service_healthy' else ' (started)'}" for name, how in before.items()]
        needs = piece.needs if isinstance(piece, Service) else ()
        asked = dict.fromkeys(providers[port] for port in needs if port in providers)
        return (f"`{piece.name}`", ", ".join(waits), ", ".join(asked))

    return _table("container|is started after|asks, while it runs", map(row, catalog.pieces))


def _environment(catalog: Catalog) -> Iterator[str]:
    def rows() -> Iterator[tuple[object, ...]]:
        for phase in catalog.phases:
            pieces = catalog.of_phase(phase)
            settings = sum(len(settings_variables(piece)) for piece in pieces if isinstance(piece, Service))
            used = ", ".join(str(later.number) for later in catalog.phases if later.number >= phase.number)
            holds = f"limits and ports of {len(pieces)} containers, {settings} settings of services, commented out"
            yield f"`{phase.environment_file}`", used, f"what all phases share; {holds}" if phase.number == 1 else holds

    return _table("file|phases|what is in it", rows())


def _variables(_catalog: Catalog) -> Iterator[str]:
    def default(variable: Variable) -> str:
        return f"`{variable.default}`" if variable.default else "empty"

    rows = ((f"`{one.name}`", default(one), one.about) for one in variables.SHARED)
    return _table("variable|default|meaning", rows)


def _limits(catalog: Catalog) -> Iterator[str]:
    coming = planned(catalog)
    pieces = catalog.pieces

    def rows() -> Iterator[tuple[object, ...]]:
        for piece in pieces:
            used = piece.resources
            yield f"`{piece.name}`", used.memory_mib, AT_REST_MIB.get(piece.name, ""), f"{used.cpus:g}", used.pids
        for one in coming:
            budget = one.resources
            yield f"`{one.name}` (comes later)", budget.memory_mib, "", f"{budget.cpus:g}", budget.pids
        everything = [*(piece.resources for piece in pieces), *(one.resources for one in coming)]
        memory, rest = sum(one.memory_mib for one in everything), sum(AT_REST_MIB.values())
        yield f"all {len(everything)}", memory, rest or "", f"{sum(one.cpus for one in everything):g}", ""

    return _table("container|>memory, at most (MiB)|>at rest (MiB)|>CPU cores, at most|>processes, at most", rows())


def _secrets(catalog: Catalog) -> Iterator[str]:
    def rows() -> Iterator[tuple[object, ...]]:
        for piece in catalog.pieces:
            keys = private_keys(piece) if isinstance(piece, Service) else ()
            names = [*(password.name for password in passwords_of(piece)), *(key.name for key in keys)]
            yield f"`{piece.name}`", ", ".join(f"`{name}`" for name in names)

    return _table("container|gets", rows())


_TABLES: dict[str, Callable[[Catalog], Iterator[str]]] = {
    "containers": _containers,
    "networks": _networks,
    "folders": _folders,
    "dependencies": _dependencies,
    "environment": _environment,
    "variables": _variables,
    "limits": _limits,
    "secrets": _secrets,
}
