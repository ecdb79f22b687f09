"""`lucid images`: the images of the containers."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer

from lucid.base.errors import LucidError
from lucid.cli.console import JsonOption, fail, out, print_json, say, size_text, table

if TYPE_CHECKING:
    from lucid.deploy.images.bake import Image
    from lucid.deploy.images.build import Workshop
    from lucid.deploy.images.platform import Platform

T = TypeVar("T")
Work: TypeAlias = "Callable[[Workshop, Platform], list[T]]"

app = typer.Typer(help="Build the containers' images, and move them to where they run.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(help="Services or stores of the catalog; none: all.")]
PlatformOption = Annotated[
    str,
    typer.Option("--platform", envvar="LUCID_PLATFORM", help="linux/arm64, linux/amd64, or both with a comma."),
]
TagOption = Annotated[
    str, typer.Option("--tag", envvar="LUCID_IMAGE_TAG", help="Tag of the images.", show_default="latest-ARCH")
]
PrefixOption = Annotated[
    str, typer.Option("--prefix", envvar="LUCID_IMAGE_PREFIX", help="What the names of the images begin with.")
]
RegistryOption = Annotated[
    str, typer.Option("--registry", envvar="LUCID_IMAGE_REGISTRY", help="Registry before the names; none: Docker Hub.")
]
SuiteOption = Annotated[str, typer.Option("--suite", help="Release of Debian.")]

ARM64 = "linux/arm64"
PICKME = "pickme/lucid-"
BOOKWORM = "bookworm"


def _progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _workshop(tag: str, prefix: str = PICKME, registry: str = "", suite: str = BOOKWORM) -> "Workshop":
    """Raises InvalidInput."""
    from lucid.deploy.images.build import Workshop
    from lucid.deploy.images.packages import suite_of
    from lucid.deploy.images.platform import Naming

    return Workshop(naming=Naming(registry=registry, prefix=prefix, tag=tag), suite=suite_of(suite), say=_progress)


def _images(names: list[str] | None) -> "tuple[Image, ...]":
    from lucid.deploy.catalog import Catalog
    from lucid.deploy.images.bake import images_of

    return images_of(Catalog(), names or ())


def _names(names: list[str] | None) -> list[str]:
    return [image.name for image in _images(names)]


def _each(platform: str, tag: str, make: "Callable[[], Workshop]", work: "Work[T]") -> list[T]:
    """What `work` gives for each platform, in one workshop. An expected error becomes one line and the exit status."""
    from lucid.deploy.images.platform import platforms_of

    try:
        workshop, platforms = make(), platforms_of(platform, tag)
        return [result for one in platforms for result in work(workshop, one)]
    except LucidError as error:
        fail(error)


def _show(rows: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        print_json(rows)
        return
    shown = table("IMAGE", "PLATFORM", "#SIZE", "USER", "ID", "")
    for row in rows:
        note = "stand-in for tests" if row["stand_in"] else ""
        identity = row["id"].removeprefix("sha256:")[:12]
        shown.add_row(row["image"], row["platform"], size_text(row["bytes"]), row["user"], identity, note)
    out.print(shown)


@app.command("base")
def base(
    platform: PlatformOption = ARM64,
    suite: SuiteOption = BOOKWORM,
    desktop: Annotated[bool, typer.Option("--desktop/--no-desktop", help="The desktop host's base too.")] = True,
    java: Annotated[bool, typer.Option("--java", help="The Java base too.")] = False,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
    json: JsonOption = False,
) -> None:
    """Assemble the base images from Debian packages, so that no registry is needed.

    Mirrors are those of this machine's apt. The desktop host's base is installed with mmdebstrap.
    """

    def work(workshop: "Workshop", one: "Platform") -> list[dict[str, Any]]:
        return workshop.base(one, java=java, desktop=desktop)

    _show(_each(platform, tag, lambda: _workshop(tag, prefix, registry, suite), work), json=json)


@app.command("build")
def build(
    names: Names = None,
    platform: PlatformOption = ARM64,
    stand_ins: Annotated[
        bool,
        typer.Option("--stand-ins", help="For tests: SecantusDB and noida-db in place of MongoDB and Elasticsearch."),
    ] = False,
    sbom: Annotated[
        Path | None, typer.Option("--sbom", help="Folder for bills of materials (SPDX); their digests become labels.")
    ] = None,
    suite: SuiteOption = BOOKWORM,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
    json: JsonOption = False,
) -> None:
    """Build images, with Debian packages and locked wheels that are fetched first."""

    def work(workshop: "Workshop", one: "Platform") -> list[dict[str, Any]]:
        return workshop.build(_images(names), one, stand_ins=stand_ins, sboms=sbom)

    _show(_each(platform, tag, lambda: _workshop(tag, prefix, registry, suite), work), json=json)


@app.command("ls")
def list_images(
    names: Names = None,
    platform: PlatformOption = ARM64,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
    json: JsonOption = False,
) -> None:
    """List the images that the engine has."""

    def work(workshop: "Workshop", one: "Platform") -> list[dict[str, Any]]:
        return workshop.inspect(_names(names), one)

    _show(_each(platform, tag, lambda: _workshop(tag, prefix, registry), work), json=json)


@app.command("sbom")
def sbom(
    folder: Annotated[Path, typer.Argument(help="Folder for one file an image.")],
    names: Names = None,
    platform: PlatformOption = ARM64,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
    json: JsonOption = False,
) -> None:
    """Write what images hold, down to each package, as SPDX JSON."""

    def work(workshop: "Workshop", one: "Platform") -> list[tuple[str, str]]:
        return list(workshop.sbom(_names(names), one, folder / one.arch).items())

    digests = _each(platform, tag, lambda: _workshop(tag, prefix, registry), work)
    if json:
        print_json([{"service": name, "sha256": digest} for name, digest in digests])
        return
    shown = table("SERVICE", "SHA-256")
    for row in digests:
        shown.add_row(*row)
    out.print(shown)


@app.command("save")
def save(
    file: Annotated[Path, typer.Argument(help="File to write.")],
    names: Names = None,
    platform: PlatformOption = ARM64,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
) -> None:
    """Write images to a file, for a machine that reaches no registry. Beside it goes its SHA-256."""
    from lucid.deploy.images import transfer
    from lucid.deploy.images.build import docker
    from lucid.deploy.images.platform import platforms_of

    try:
        naming = _workshop(tag, prefix, registry).naming
        images = [naming.image(name, one) for one in platforms_of(platform, tag) for name in _names(names)]
        transfer.save(docker(), images, file)
    except LucidError as error:
        fail(error)
    say(f"{len(images)} images, {size_text(file.stat().st_size)}: {file}")


@app.command("load")
def load(file: Annotated[Path, typer.Argument(help="File that `lucid images save` wrote.")]) -> None:
    """Give the engine the images of a file."""
    from lucid.deploy.images import transfer
    from lucid.deploy.images.build import docker

    try:
        loaded = transfer.load(docker(), file)
    except LucidError as error:
        fail(error)
    for name in loaded:
        say(name)


@app.command("push")
def push(
    names: Names = None,
    platform: PlatformOption = ARM64,
    index: Annotated[str, typer.Option("--index", help="A tag that stands for all platforms, such as latest.")] = "",
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
) -> None:
    """Push images to their registry. Who may is known to Docker: `docker login`."""
    from lucid.deploy.images import transfer
    from lucid.deploy.images.build import docker
    from lucid.deploy.images.platform import platforms_of

    try:
        naming = _workshop(tag, prefix, registry).naming
        transfer.push(docker(), _names(names), platforms_of(platform, tag), naming, index=index)
    except LucidError as error:
        fail(error)
