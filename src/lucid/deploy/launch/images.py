"""The images of a deployment: found by name once, pinned by what they are from then on."""

import re
from collections.abc import Iterable, Mapping

from lucid.base.errors import Unavailable
from lucid.deploy import variables
from lucid.deploy.catalog import Catalog
from lucid.deploy.launch.engine import Command, Engine
from lucid.deploy.launch.sets import Image

_MISSING = re.compile(r"No such image: (\S+)")


def names(catalog: Catalog, values: Mapping[str, str]) -> dict[str, str]:
    """The image that each container is configured with, by `values` of the environment files."""
    return {piece.name: variables.fill(variables.image(piece.name), values) for piece in catalog.pieces}


async def find(engine: Engine, wanted: Mapping[str, str]) -> dict[str, Image]:
    """The images that the engine has under those names, by container. Raises Unavailable that says which it has
    not."""
    unique = sorted(set(wanted.values()))
    if not unique:
        return {}
    done = await engine.run(Command(("image", "inspect", *unique)))
    if missing := _MISSING.findall(done.err):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Unavailable(
            f"the engine has no image {missing[0]}{more}: `lucid images build`, `lucid images load FILE`, or `lucid "
            "deploy upgrade --pull`"
        )
    if done.status != 0:
        raise Unavailable(f"image inspect: {done.reason}")
    found = dict(zip(unique, engine.parsed(done, "image inspect"), strict=True))
    return {
        container: Image(name=name, id=found[name]["Id"], digests=tuple(found[name].get("RepoDigests") or ()))
        for container, name in wanted.items()
    }


async def pull(engine: Engine, wanted: Iterable[str], *, limit_s: float = 1800) -> None:
    """Fetch images from their registry. Raises Unavailable."""
    for name in sorted(set(wanted)):
        await engine.text("pull", "--quiet", name, limit_s=limit_s)


async def hold(engine: Engine, images: Iterable[Image]) -> None:
    """Give each image the name that it is started by. Raises Unavailable for one that the engine has lost."""
    wanted = {image.pinned: image for image in images}
    there = {(tag, one["Id"]) for one in await engine.inspect("image", list(wanted)) for tag in one["RepoTags"]}
    for pinned, image in wanted.items():
        if (pinned, image.id) not in there and (await engine.run(Command(("tag", image.id, pinned)))).status != 0:
            raise Unavailable(
                f"the engine has lost the image {image.name} ({image.id[7:19]}): load it again, or `lucid deploy "
                "upgrade` to what there is"
            )


async def release(engine: Engine, pinned: Iterable[str]) -> None:
    """Take those names away. An image that a container still has keeps its name: the engine refuses."""
    if tags := sorted(pinned):
        await engine.run(Command(("image", "rm", *tags)))
