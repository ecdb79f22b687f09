"""Which Debian packages each image holds.

The libraries and programs that a package needs come with it, but for those in DROPPED: what only installs packages,
or runs their scripts, has no use in an image that is never changed, and a shell must not be in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lucid.base.errors import InvalidInput

Part = Literal["base", "builder", "redis", "mongodb", "freerdp", "java"]
"""What is assembled: `base` is a whole image, `builder` too; the others are what is added to the base."""

DROPPED = frozenset(
    {
        "adduser",
        "awk",
        "ca-certificates-java",
        "debconf",
        "dpkg",
        "fontconfig",
        "fonts-dejavu-core",
        "init-system-helpers",
        "java-common",
        "lsb-base",
        "mawk",
        "openssl",
        "perl-base",
        "python3",
        "python3-lib2to3",
        "readline-common",
        "shared-mime-info",
        "sysvinit-utils",
        "tar",
        "usrmerge",
        "util-linux",
    }
)


@dataclass(frozen=True)
class Suite:
    """A release of Debian: its Python, and the names of packages that differ."""

    name: str
    python: str
    freerdp: str
    java: str
    links: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, part: Part) -> tuple[str, ...]:
        """The packages of a part, without those that they need."""
        return {
            "base": (
                "base-files",
                "ca-certificates",
                f"libpython{self.python}-stdlib",
                "libstdc++6",
                "netbase",
                f"python{self.python}-minimal",
                "tzdata",
            ),
            "builder": ("python3-pip", f"python{self.python}-minimal", "python3-distutils"),
            "redis": ("redis-server",),
            "mongodb": ("libcurl4",),
            "freerdp": (self.freerdp,),
            "java": (self.java,),
        }[part]


BOOKWORM = Suite("bookworm", "3.11", "libfreerdp2-2", "openjdk-17-jre-headless")
SUITES = {BOOKWORM.name: BOOKWORM}


def suite_of(name: str) -> Suite:
    """Raises InvalidInput."""
    try:
        return SUITES[name]
    except KeyError:
        raise InvalidInput(f"--suite: expected {' or '.join(SUITES)}, not {name!r}") from None
