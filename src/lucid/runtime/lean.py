"""What libraries load although a service without a terminal never uses it.

Some load another library whenever it is there, and it is there for others: the command line needs Rich. In a container
that runs one service this was a seventh of its memory.
"""

import sys
from types import ModuleType

UNUSED = ("rich", "pygments", "requests")
"""structlog and httpx have Rich and Pygments for what they print to terminals, py-consul and elastic-transport requests
beside the connections that we use."""

_BLOCKING_CONSUL = "consul.std"


def leave_out() -> None:
    """Let these be not there for this process. To be called before anything is loaded that loads them."""
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: importing it raises ImportError
    # The package loads its blocking client in any case; ours (drivers/consul) is made of the rest of it.
    blocking = ModuleType(_BLOCKING_CONSUL)
    blocking.Consul = None  # type: ignore[attr-defined]
    sys.modules[_BLOCKING_CONSUL] = blocking
