"""What can be reached from a network: the first argument is JSON, `[[[address, port], ...], [name, ...]]`."""

import json
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LIMIT_S = 2.0
"""A neighbour answers within milliseconds."""


def connected(address: str, port: int) -> str:
    """Empty when there is a connection, else why not."""
    try:
        socket.create_connection((address, port), LIMIT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def resolved(name: str) -> str:
    """The address that the name has there; empty when it has none."""
    try:
        return socket.gethostbyname(name)
    except OSError:
        return ""


def route_out() -> bool:
    """Whether there is a default route."""
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    return any(route.split()[1] == "00000000" for route in routes)


def answers(ask: Callable[..., str], questions: list[list[object]]) -> list[str]:
    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(lambda question: ask(*question), questions))


if __name__ == "__main__":
    places, names = json.loads(sys.argv[1])
    found = {
        "connected": answers(connected, places),
        "resolved": answers(resolved, [[name] for name in names]),
        "route_out": route_out(),
    }
    sys.stdout.write(json.dumps(found))
