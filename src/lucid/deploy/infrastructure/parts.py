"""What the infrastructure's containers have in common."""

from collections.abc import Mapping, Sequence

from lucid.catalog.types import Network
from lucid.deploy import variables
from lucid.deploy.container import tmpfs
from lucid.deploy.marks import MARK
from lucid.deploy.shared import USUAL, compose_blocks
from lucid.deploy.variables import Variable
from lucid.deploy.yamltext import MERGE, Alias, Anchor, Flow, Node, Noted, Spaced, dump

SELFCHECK = ("/usr/bin/python3", "/opt/lucid/selfcheck.py")
TEMPORARY = "/tmp"  # noqa: S108 - the container's own
TO_ROOT = "../../.."
"""From configs/docker/<folder> to the checkout."""

CACHE = Variable(
    "LUCID_IMAGES_CACHE", "${HOME}/.cache/lucid/images", "where `lucid images` keeps packages and wheels between builds"
)
ARCH = Variable("LUCID_ARCH", "arm64", "architecture of the images that are built: arm64 or amd64")
BUILD_ARCH = Variable("LUCID_BUILD_ARCH", "arm64", "architecture of the machine that builds: arm64 or amd64")


def compose_file(
    note: str, project: str, network: Network, services: Mapping[str, Node], blocks: Mapping[str, Node] | None = None
) -> str:
    """A whole file. Its network is made before, like all others."""
    document: dict[str, Node] = {"x-container": compose_blocks()["x-container"], **(blocks or {}), "name": project}
    document["services"] = Spaced(services)
    document["networks"] = Noted(
        "Made before: by `lucid deploy up`, or configs/docker/networks.sh.",
        {network.name: Flow({"external": True})},
    )
    return dump(document, f"{note}\n{MARK}")


def healthcheck(test: Sequence[str], start_period_s: int = 40) -> Node:
    """The block that containers refer to as `*healthcheck`."""
    return Anchor(
        "healthcheck",
        {
            "test": Flow(["CMD", *test]),
            "interval": "30s",
            "timeout": "10s",
            "retries": 3,
            "start_period": f"{start_period_s}s",
            "start_interval": "1s",
        },
    )


def selfcheck(
    name: str,
    image: str,
    network: Network,
    profile: str,
    *,
    memory_mib: int = 64,
    entry: Mapping[str, Node] | None = None,
    peers: Sequence[str] = (),
) -> dict[str, Node]:
    """A container that checks from within what its image promises, and is healthy as long as that holds."""
    command = ["watch", "--profile", profile, *(word for peer in peers for word in ("--peer", peer))]
    return {
        MERGE: Alias("container"),
        **{key: value for key, value in (entry or {}).items() if key in ("build", "platform")},
        "image": image,
        "container_name": name,
        "networks": Flow([network.name]),
        "entrypoint": Flow(list(SELFCHECK)),
        "command": Flow(list(command)),
        "healthcheck": Alias("healthcheck"),
        **{key: value for key, value in (entry or {}).items() if key not in ("build", "platform")},
        **limits(memory_mib, cpus=0.25, pids=64),
    }


def limits(memory_mib: int, *, cpus: float, pids: int, tmp_mib: int = 16) -> dict[str, Node]:
    memory = f"{memory_mib}m"
    return {
        "cpus": cpus,
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": pids,
        "tmpfs": [tmpfs(TEMPORARY, tmp_mib, USUAL.user)],
    }


def base_image() -> str:
    return variables.image("lucid-base")
