"""The environment files: examples with every variable, its default and its meaning, and nothing secret.

`lucid deploy init` writes a deployment's own from them; with the committed ones the defaults hold.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from lucid.base.secret import Secret
from lucid.catalog.types import Phase, Service
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog, Piece
from lucid.deploy.container import settings_variables
from lucid.deploy.marks import MARK
from lucid.deploy.variables import Variable

FOLDER = "configs/environment"
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,\[\]-]*")
_COMPOSE = Variable("COMPOSE_IGNORE_ORPHANS", "true", "each phase's file names only its own containers of the project")

_HEAD = """\
{title}
{mark}
An example: every variable with its default. No secret is in it; passwords and keys are files.
A line that is commented out is a service's own default.\
"""


def environment_files(catalog: Catalog) -> dict[str, str]:
    """Path to text."""
    files = {phase.environment_file: _phase_file(catalog, phase) for phase in catalog.phases}
    return {
        **files,
        f"{FOLDER}/production.env": _production_file(),
    }


def _phase_file(catalog: Catalog, phase: Phase) -> str:
    lines = _comment(_HEAD.format(title=f"Phase {phase.number}: {phase.title}.", mark=MARK))
    if phase.number == min(other.number for other in catalog.phases):
        lines += _shared_lines()
    pieces = catalog.of_phase(phase)
    if not pieces:
        lines += ["", "# The catalog holds nothing of this phase yet."]
    for piece in pieces:
        lines += _piece_lines(piece)
    return "\n".join(lines) + "\n"


def _shared_lines() -> Iterator[str]:
    for title, group in (
        ("Folders of this host", variables.FOLDERS),
        ("Addresses of this host that ports are published on", variables.ADDRESSES),
        ("Images", variables.IMAGES),
        ("Protection", (variables.SECCOMP,)),
        ("Logs", variables.LOGS),
        ("Compose itself", (_COMPOSE,)),
    ):
        yield from ("", f"# -- {title}")
        yield from _assigned(group)


def _piece_lines(piece: Piece) -> Iterator[str]:
    yield from ("", f"# -- {piece.name}: {piece.summary}")
    yield from _assigned(variables.host_port(piece, publish) for publish in piece.container.published)
    yield from _assigned((variables.memory(piece), variables.cpus(piece)))
    if isinstance(piece, Service):
        for name, field in settings_variables(piece).items():
            info = piece.settings.model_fields[field]
            yield from _comment(info.description or "")
            yield f"#{name}={quoted(_text(info.get_default(call_default_factory=True)))}"


def _production_file() -> str:
    """What a production deployment sets beside the defaults; given last, so that it wins."""
    head = f"Production: given after the phases' files, it wins over them.\n{MARK}"
    lines = _comment(head)
    for variable in (
        Variable(
            "LUCID_PUBLIC_ADDRESS",
            "192.168.0.75",
            "address or name that clients reach this host by; `lucid deploy init` asks for it",
        ),
        Variable("LUCID_BIND_PUBLIC", "0.0.0.0", "the LAN reaches the API, logins and RDP"),  # noqa: S104
        Variable("LUCID_BIND_DATA", "127.0.0.1", "nobody but this host reaches MongoDB and Redis"),
        Variable("LUCID_SECCOMP", "", "Docker's own profile stays on"),
        Variable("LUCID_LOG_LEVEL", "INFO", "DEBUG tells more than a disk should keep"),
        Variable("LUCID_API_GATEWAY_TLS", "on", "HTTPS, with a certificate of its own unless it is given one"),
    ):
        lines += ["", *_assigned((variable,))]
    return "\n".join(lines) + "\n"


def _assigned(group: Iterable[Variable]) -> Iterator[str]:
    for variable in group:
        yield from _comment(variable.about)
        yield f"{variable.name}={quoted(variable.default)}"


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]


def _text(value: Any) -> str:
    """A default as the environment gives it: lists and mappings are JSON."""
    assert not isinstance(value, Secret), "secrets are files"
    if value is None:
        return ""
    if isinstance(value, str | PurePath):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list | dict | frozenset):
        return json.dumps(sorted(value) if isinstance(value, frozenset) else value)
    return str(value)


def quoted(text: str) -> str:
    """The value for an environment file: within single quotes nothing is replaced."""
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
