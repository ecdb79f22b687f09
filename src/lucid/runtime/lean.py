"""What libraries load although a service without a terminal never uses it.

Some load another library whenever it is there, and it is there for others: the command line needs Rich. Others load
parts of their own in any case. In a container that runs one service this was a fifth of its memory.
"""

import sys
from types import ModuleType

UNUSED = ("click", "pygments", "requests", "rich")
"""structlog and httpx have these for what they print to terminals, elastic-transport has requests beside the client
that we use."""

REPLACED = {"consul.std": ("Consul",), "uvicorn.main": ("Server", "main", "run")}
"""Modules that the package takes names of when it is loaded: py-consul's blocking client, of which the rest is used
(drivers/consul), and uvicorn's command line, whose server is in uvicorn.server."""


def leave_out() -> None:
    """Let these be not there for this process. To be called before anything is loaded that loads them."""
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: importing it raises ImportError
    for name, taken in REPLACED.items():
        sys.modules[name] = empty = ModuleType(name)
        vars(empty).update(dict.fromkeys(taken))
