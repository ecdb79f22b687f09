"""The variables that a deployment is configured with: each has its default here, and its line in the environment file
of the phase that first needs it. Compose fills them in; nothing of them reaches a container but what a service lists.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lucid.catalog.types import Publish
from lucid.deploy.catalog import Piece


@dataclass(frozen=True)
class Variable:
    """A variable of the Compose files."""

    name: str
    default: str
    about: str

    def __str__(self) -> str:
        """How a Compose file refers to it."""
        return f"${{{self.name}:-{self.default}}}"

    def of(self, values: Mapping[str, str]) -> str:
        """What it is where `values` are set: one that is empty has its default, as Compose has it."""
        return values.get(self.name) or self.default


DATA_ROOT = Variable("LUCID_DATA_ROOT", "/mnt/myssd/Lucid/data", "data of each container, in a folder of its name")
LOGS_ROOT = Variable("LUCID_LOGS_ROOT", "/mnt/myssd/Lucid/logs", "logs of each container, in a folder of its name")
SECRETS_DIR = Variable(
    "LUCID_SECRETS_DIR", "/run/lucid/secrets", "passwords and private keys, in memory; `lucid deploy unlock` fills it"
)
PUBLIC_KEYS_DIR = Variable("LUCID_PUBLIC_KEYS_DIR", "/mnt/myssd/Lucid/public-keys", "public halves of the keys")
BIND_PUBLIC = Variable(
    "LUCID_BIND_PUBLIC",
    "0.0.0.0",  # noqa: S104 - as the spec of the deployment says
    "address of this host on which the API, logins and RDP are offered",
)
BIND_DATA = Variable(
    "LUCID_BIND_DATA",
    "127.0.0.1",
    "address of this host on which MongoDB and Redis are offered; the host's LAN address opens them to the LAN",
)
PUBLIC_ADDRESS = Variable(
    "LUCID_PUBLIC_ADDRESS",
    "",
    "address or name that clients reach this host by: it stands in what they are given to connect",
)
IMAGE_REGISTRY = Variable("LUCID_IMAGE_REGISTRY", "", "registry of the images, with a / at its end; empty: Docker Hub")
IMAGE_PREFIX = Variable("LUCID_IMAGE_PREFIX", "pickme/lucid-", "what the images' names begin with")
IMAGE_TAG = Variable("LUCID_IMAGE_TAG", "latest-arm64", "tag of all images")
PLATFORM = Variable("LUCID_PLATFORM", "linux/arm64", "platform of the images: linux/arm64 or linux/amd64")
SECCOMP = Variable(
    "LUCID_SECCOMP", "", "seccomp profile: empty is Docker's own; `unconfined` takes this layer of protection away"
)
LOG_LEVEL = Variable("LUCID_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")
LOG_FILE_BYTES = Variable("LUCID_LOG_FILE_BYTES", "10000000", "size at which a container's log file is begun anew")
LOG_FILES = Variable("LUCID_LOG_FILES", "5", "older log files that a container keeps")

IMAGES = (IMAGE_REGISTRY, IMAGE_PREFIX, IMAGE_TAG, PLATFORM)
FOLDERS = (DATA_ROOT, LOGS_ROOT, SECRETS_DIR, PUBLIC_KEYS_DIR)
ADDRESSES = (PUBLIC_ADDRESS, BIND_PUBLIC, BIND_DATA)
LOGS = (LOG_LEVEL, LOG_FILE_BYTES, LOG_FILES)
SHARED = (*FOLDERS, *ADDRESSES, *IMAGES, SECCOMP, *LOGS)
_PLACE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_BY_NAME = {variable.name: variable for variable in SHARED}


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` of a Compose file with the variables in it as `Variable.of` has them."""
    return _PLACE.sub(lambda place: values.get(place[1]) or place[2], text)


def short_name(name: str) -> str:
    """`mongodb` for `lucid-mongodb`: as images and variables are named."""
    return name.removeprefix("lucid-")


def image(name: str) -> str:
    """The image of a container as Compose files refer to it."""
    return f"{IMAGE_REGISTRY}{IMAGE_PREFIX}{short_name(name)}:{IMAGE_TAG}"


def _prefix(piece: Piece) -> str:
    return f"LUCID_{short_name(piece.name).upper().replace('-', '_')}"


def memory(piece: Piece) -> Variable:
    """Also the limit of memory and swap together: a container does not swap."""
    return Variable(f"{_prefix(piece)}_MEMORY", f"{piece.resources.memory_mib}m", "memory, no swap")


def cpus(piece: Piece) -> Variable:
    return Variable(f"{_prefix(piece)}_CPUS", f"{piece.resources.cpus:g}", "CPU cores")


def host_port(piece: Piece, publish: Publish) -> Variable:
    """The port of the host; where a container publishes several, the variable's name says which."""
    several = f"_{publish.port}" if len(piece.container.published) > 1 else ""
    default = str(publish.host_port or publish.port)
    return Variable(f"{_prefix(piece)}_PORT{several}", default, f"port of this host: {publish.about}")


def host_address(publish: Publish) -> Variable:
    return _BY_NAME.get(publish.bind) or Variable(publish.bind, publish.address, "address of this host")
