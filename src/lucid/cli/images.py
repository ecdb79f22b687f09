"""`lucid images`: the images of the containers."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from lucid.base.errors import LucidError
from lucid.cli.console import JsonOption, fail, out, print_json, size_text, table

if TYPE_CHECKING:
    from lucid.deploy.images.build import Workshop
    from lucid.deploy.images.platform import Platform

T = TypeVar("T")

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
    from lucid.deploy.images.build import Workshop
    from lucid.deploy.images.packages import suite_of
    from lucid.deploy.images.platform import Naming

    return Workshop(naming=Naming(registry=registry, prefix=prefix, tag=tag), suite=suite_of(suite), say=_progress)


def _each(platform: str, work: "Callable[[Platform], list[T]]") -> list[T]:
    """What `work` gives for each platform. An expected error becomes one line and the exit status."""
    from lucid.deploy.images.platform import platforms_of

    try:
        return [result for one in platforms_of(platform) for result in work(one)]
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
    java: Annotated[bool, typer.Option("--java", help="The Java base too.")] = False,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
    json: JsonOption = False,
) -> None:
    """Assemble the base images from Debian packages, so that no registry is needed.

    Mirrors are those of this machine's apt. The desktop host's base is installed with mmdebstrap.
    """
    _show(_each(platform, lambda one: _workshop(tag, prefix, registry, suite).base(one, java=java)), json=json)


@app.command("build")
def build(
    names: Names = None,
    platform: PlatformOption = ARM64,
    stand_ins: Annotated[
        bool,
        typer.Option("--stand-ins", help="For tests: SecantusDB and noida-db in place of MongoDB and Elasticsearch."),
    ] = False,
    suite: SuiteOption = BOOKWORM,
    tag: TagOption = "",
    prefix: PrefixOption = PICKME,
    registry: RegistryOption = "",
    json: JsonOption = False,
) -> None:
    """Build images, with Debian packages and locked wheels that are fetched first."""

    def work(one: "Platform") -> list[dict[str, Any]]:
        from lucid.deploy.catalog import Catalog
        from lucid.deploy.images.bake import images_of

        images = images_of(Catalog(), names or ())
        return _workshop(tag, prefix, registry, suite).build(images, one, stand_ins=stand_ins)

    _show(_each(platform, work), json=json)


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

    def work(one: "Platform") -> list[dict[str, Any]]:
        from lucid.deploy.catalog import Catalog
        from lucid.deploy.images.bake import images_of

        wanted = [image.name for image in images_of(Catalog(), names or ())]
        return _workshop(tag, prefix, registry).inspect(wanted, one)

    _show(_each(platform, work), json=json)
