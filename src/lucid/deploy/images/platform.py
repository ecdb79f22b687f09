"""What images are built for, and what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lucid.base.errors import InvalidInput

PREFIX = "pickme/lucid-"
"""What the names of all images begin with, as the spec of the deployment says."""


@dataclass(frozen=True)
class Platform:
    """A kind of machine: by Docker's name (`arch`, also Debian's) and by the name in Python's wheel tags."""

    arch: str
    machine: str

    @property
    def docker(self) -> str:
        return f"linux/{self.arch}"

    @property
    def wheel_tags(self) -> tuple[str, ...]:
        """Wheels that run on the C library of Debian 12 (2.36) on this machine."""
        return tuple(f"{tag}_{self.machine}" for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28"))


AMD64 = Platform("amd64", "x86_64")
ARM64 = Platform("arm64", "aarch64")
PLATFORMS = {platform.arch: platform for platform in (AMD64, ARM64)}


def platforms_of(text: str, tag: str = "") -> tuple[Platform, ...]:
    """`linux/amd64,linux/arm64`, also without `linux/`. Raises InvalidInput, also for a `tag` that images of several
    platforms would take from each other."""
    names = [name.strip().removeprefix("linux/") for name in text.split(",")]
    unknown = [name for name in names if name not in PLATFORMS]
    if unknown:
        expected = ", ".join(platform.docker for platform in PLATFORMS.values())
        raise InvalidInput(f"--platform: expected {expected}, not {unknown[0]!r}")
    platforms = tuple(dict.fromkeys(PLATFORMS[name] for name in names))
    if tag and len(platforms) > 1:
        raise InvalidInput(
            f"--tag: {tag} can only stand for one platform; name them one by one, each with a tag of its own, or take "
            "the usual tags with --tag ''"
        )
    return platforms


@dataclass(frozen=True)
class Naming:
    """How images are named: `REGISTRY/pickme/lucid-NAME:TAG`. An empty tag is `latest-ARCH`."""

    registry: str = ""
    prefix: str = PREFIX
    tag: str = ""

    def image(self, name: str, platform: Platform) -> str:
        """The image of a service or store of the catalog, or of a base image."""
        registry = f"{self.registry.rstrip('/')}/" if self.registry else ""
        return f"{registry}{self.prefix}{short(name)}:{self.tag_of(platform)}"

    def tag_of(self, platform: Platform) -> str:
        return self.tag or f"latest-{platform.arch}"


def short(name: str) -> str:
    """The name in an image's name: `lucid-mongodb` is `mongodb`, since the prefix says `lucid-`."""
    return name.removeprefix("lucid-")


def only(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """`names`, each with or without `lucid-`, as they are known; all when none is given. Raises InvalidInput."""
    by_short = {short(name): name for name in known}
    unknown = [name for name in names if short(name) not in by_short]
    if unknown:
        raise InvalidInput(f"no image {unknown[0]!r}; there are: {', '.join(known)}")
    return tuple(by_short[short(name)] for name in names) or tuple(known)


def checkout() -> Path:
    """The folder of Lucid's source, which images are built from. Raises InvalidInput when only the package is here."""
    root = Path(__file__).parents[4]
    if not (root / "pyproject.toml").is_file():
        raise InvalidInput("images are built from a checkout of the source; this is an installed package")
    return root
