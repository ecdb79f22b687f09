"""Addresses of containers, which only containers can look up by name."""

import json
import subprocess

from lucid.base.errors import Unavailable

LIMIT_S = 10.0


def addresses(docker: str, network: str) -> dict[str, str]:
    """The IPv4 addresses of the running containers of a network by their names. `docker` is the engine's command.
    Blocks. Raises Unavailable."""
    try:
        done = subprocess.run(
            [docker, "network", "inspect", network], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{docker}: {type(error).__name__}") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable(f"{docker}: {said[-1] if said else f'exit status {done.returncode}'}")
    try:
        (found,) = json.loads(done.stdout)
        ends = found["Containers"].values()
        return {end["Name"]: end["IPv4Address"].partition("/")[0] for end in ends if end["IPv4Address"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unavailable(f"{docker}: answer not understood") from None
