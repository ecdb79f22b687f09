"""What the wanted deployment set holds: the rendered files, the images they run, digests of the secrets that their
containers get, and the environment files."""

from collections.abc import Mapping
from pathlib import PurePath

from lucid.base.errors import InvalidInput
from lucid.deploy.catalog import Catalog
from lucid.deploy.compose import phase_file
from lucid.deploy.launch import images
from lucid.deploy.launch.engine import Engine
from lucid.deploy.launch.fingerprints import LABEL, fingerprints
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import identity_of
from lucid.deploy.launch.sets import ENVIRONMENT, Content, DeploymentSet, Image, SetPhase

_PINS = """\
# The images of this deployment set, each by a name that says which it is, and a keyed digest of the secrets and keys
# that each container gets: one that changes makes its container anew. Rendered by `lucid deploy up`.
#
# Compose starts all of the phase at once: each service asks for what it needs until that answers, and `lucid deploy`
# waits for the health of all before the next phase.

services:
"""


async def wanted(
    engine: Engine, catalog: Catalog, place: Place, current: DeploymentSet | None, *, anew: bool
) -> Content:
    """The content of the set that is to run now. Images are those of the `current` set as far as they are configured
    under the same names; `anew` looks all names up again. Settings and secrets are open. Raises Unavailable for an
    image that is not there."""
    names = images.names(catalog, place.values(catalog))
    kept = {} if current is None or anew else _still(current, names)
    found = await images.find(engine, {name: image for name, image in names.items() if name not in kept})
    pinned = {name: kept.get(name) or found[name] for name in names}
    phases = tuple(
        SetPhase(
            number=phase.number,
            name=phase.name,
            title=phase.title,
            containers=tuple(piece.name for piece in catalog.of_phase(phase)),
        )
        for phase in catalog.phases
        if catalog.of_phase(phase)
    )
    files = environment(place, catalog)
    digests = fingerprints(place, catalog, identity_of(place))
    texts = {phase.name: phase_file(catalog, phase) for phase in catalog.phases}
    for phase in phases:
        rendered, pins = phase.files
        files[rendered] = texts[phase.name].encode()
        files[pins] = pinning(phase, pinned, digests).encode()
    return Content(files, phases, pinned)


def pinning(phase: SetPhase, pinned: Mapping[str, Image], digests: Mapping[str, str]) -> str:
    """The Compose file that is laid over that of the phase."""
    return _PINS + "".join(
        f'  {name}:\n    image: "{pinned[name].pinned}"\n    depends_on: !reset {{}}\n'
        f'    labels:\n      {LABEL}: "{digests[name]}"\n'
        for name in phase.containers
    )


def environment(place: Place, catalog: Catalog) -> dict[str, bytes]:
    """The encrypted environment files, by their path in a set. Raises InvalidInput for one that cannot be read."""
    files = {}
    for phase in catalog.phases:
        path = place.encrypted(phase)
        try:
            files[str(PurePath(ENVIRONMENT, path.name))] = path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}; `lucid deploy init` makes it") from None
    return files


def _still(current: DeploymentSet, names: Mapping[str, str]) -> dict[str, Image]:
    return {name: image for name, image in current.images.items() if names.get(name) == image.name}
