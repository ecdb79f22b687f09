"""Who renders which path: one line a renderer. A renderer takes the catalog and gives the text of each path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lucid.base.errors import Conflict
from lucid.deploy.catalog import Catalog
from lucid.deploy.checks import check
from lucid.deploy.compose import compose_files
from lucid.deploy.environment import environment_files
from lucid.deploy.images.dockerfiles import dockerfiles
from lucid.deploy.infrastructure.base import base_files
from lucid.deploy.infrastructure.distroless import distroless_files
from lucid.deploy.infrastructure.environment import infrastructure_environment
from lucid.deploy.infrastructure.multistage import multistage_files
from lucid.deploy.machines import machine_files
from lucid.deploy.networks import network_files
from lucid.deploy.page import page_files
from lucid.deploy.picture import picture_files
from lucid.deploy.swarm import swarm_files
from lucid.deploy.systemd import systemd_files

Target: TypeAlias = Literal["compose", "swarm"]


@dataclass(frozen=True)
class Renderer:
    """`files` gives path, relative to the repository, to text that holds `marks.SIGN`."""

    name: str
    files: Callable[[Catalog], Mapping[str, str]]
    target: Target = "compose"


RENDERERS = (
    Renderer("phases", compose_files),
    Renderer("environment", environment_files),
    Renderer("networks", network_files),
    Renderer("images", dockerfiles),
    Renderer("distroless", distroless_files),
    Renderer("multi-stage", multistage_files),
    Renderer("base", base_files),
    Renderer("infrastructure", infrastructure_environment),
    Renderer("systemd", systemd_files),
    Renderer("page", page_files),
    Renderer("picture", picture_files),
    Renderer("swarm", swarm_files, "swarm"),
    Renderer("machines", machine_files, "swarm"),
)


def render(
    catalog: Catalog, *, target: Target | None = None, renderers: tuple[Renderer, ...] = RENDERERS
) -> dict[str, str]:
    """Every path with its text; of one target, or of all. Raises InvalidInput for a catalog that cannot be deployed,
    Conflict when two renderers claim a path."""
    check(catalog)
    files: dict[str, str] = {}
    owners: dict[str, str] = {}
    for renderer in renderers:
        if target not in {None, renderer.target}:
            continue
        for path, text in renderer.files(catalog).items():
            if path in files:
                raise Conflict(f"{path}: rendered by both {owners[path]} and {renderer.name}")
            files[path], owners[path] = text, renderer.name
    return files
