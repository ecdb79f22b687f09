"""The environment files of the infrastructure's Compose files: distroless.env and multi-stage.env."""

from collections.abc import Iterable

from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.environment import FOLDER
from lucid.deploy.infrastructure import multistage, workbench
from lucid.deploy.infrastructure.distroless import ARM64_TAG
from lucid.deploy.marks import MARK
from lucid.deploy.variables import Variable

_DEVELOPMENT = (workbench.DEBUG_PORT, workbench.API_PORT, workbench.RDP_PORT)


def infrastructure_environment(_: Catalog) -> dict[str, str]:
    """Path to text."""
    shared = (*variables.IMAGES, variables.SECCOMP)
    return {
        f"{FOLDER}/distroless.env": _file(
            "For the files in configs/docker/distroless.", (*shared, ARM64_TAG, *_DEVELOPMENT)
        ),
        f"{FOLDER}/multi-stage.env": _file(
            "For the files in configs/docker/multi-stage, and for docker-compose.base.yml.",
            (*shared, *multistage.build_variables(), *_DEVELOPMENT),
        ),
    }


def _file(title: str, group: Iterable[Variable]) -> str:
    lines = [f"# {title}", f"# {MARK}"]
    for variable in group:
        lines += ["", f"# {variable.about}", f"{variable.name}={variable.default}"]
    return "\n".join(lines) + "\n"
