"""What libraries load although a service without a terminal never uses it.

Some load another library whenever it is there, and it is there for others: the command line needs Rich. Others load
parts of their own in any case. In a container that runs one service this was a quarter of its memory.
"""

import os
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

UNUSED = ("click", "email_validator", "pydantic.v1", "pygments", "requests", "rich")
"""Libraries that are looked for, and done without where they are not there: structlog and httpx have some for what they
print to terminals, elastic-transport has requests beside the client that we use, FastAPI looks for models of Pydantic 1
to refuse them, and describes addresses of mail if it can."""

EMPTY = (
    "argparse",  # this and the next: the sources of settings that pydantic-settings has beside the environment
    "pydantic_settings.sources.providers.cli",
    "pydantic_settings.sources.providers.aws",
    "pydantic_settings.sources.providers.azure",
    "pydantic_settings.sources.providers.gcp",
    "configparser",  # this and the next: uvicorn reads a configuration of logs, and is given none
    "logging.config",
    "uvicorn.main",  # the command line
    "http.server",  # this and the next: prometheus-client has a server of its own
    "wsgiref.simple_server",
    "html.entities",  # html takes the names of all characters from it, to take text out of HTML
    "zipfile",  # importlib.metadata looks for packages in archives
    "consul.api.*",  # what of Consul is no registry
    "consul.std",  # this and the next: clients that block
    "elasticsearch._sync.client",
    "httpcore._api",
    "httpcore._sync",
    "pymongo.synchronous.*",
    "elasticsearch._async.client.[!_]*",  # what concerns no index
    "redis.asyncio.cluster",  # this and all that follow: what a single server does not have
    "redis.asyncio.keyspace_notifications",
    "redis.asyncio.sentinel",
    "redis.cluster",
    "redis.commands.cluster",
    "redis.commands.redismodules",
    "redis.commands.sentinel",
    "redis.keyspace_notifications",
    "redis.sentinel",
)
"""Modules (patterns of fnmatch) that other modules take names from when they are loaded, and that are not used then."""

KEPT = (
    "consul.api.agent",
    "consul.api.catalog",
    "consul.api.health",
    "elasticsearch._async.client.indices",
    "elasticsearch._async.client.utils",
)
"""What is used of these."""


class _Placeholder:
    """Stands for whatever is taken from an empty module: a base, or something that is made and kept."""

    def __init__(self, *given: object, **named: object) -> None:
        """Take what the real one takes."""


class EmptyModule(ModuleType):
    """Has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Placeholder,), {})


class _EmptyLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return EmptyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing in it."""


class _EmptyFinder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in KEPT or not any(fnmatchcase(name, pattern) for pattern in EMPTY):
            return None
        spec = ModuleSpec(name, _EmptyLoader(), is_package=True)
        # What is kept of a package is found where it is.
        spec.submodule_search_locations = [f"{folder}/{name.rpartition('.')[2]}" for folder in path or ()]
        return spec


def leave_out() -> None:
    """Let these be not there for this process, or empty. To be called before anything is loaded that loads them."""
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: importing it raises ImportError
    sys.meta_path.insert(0, _EmptyFinder())
    # Unless it is told, zoneinfo asks for what Python was built with: all of that, to find this.
    os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")
