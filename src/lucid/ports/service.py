"""What a service is to the runtime: an App made by its create(settings, ports)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.routing import Route

from lucid.base.clock import Clock, SystemClock

if TYPE_CHECKING:  # services without a public API do not load the web framework
    from fastapi import APIRouter

P = TypeVar("P")


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class App:
    """A built service. `provides` maps each offered port to its implementation; the runtime hosts it under
    /rpc. `api` are the public API's routes (lucid.ports.api), reached through the api-gateway; `routes` are further
    HTTP routes, served without authentication only if listed in the catalog as public. `start` returns when the
    service works; `stop` when nothing of it runs any more. `checks` are readiness checks: they return or raise."""

    provides: Mapping[type, object] = field(default_factory=dict)
    api: "APIRouter | None" = None
    routes: Sequence[Route] = ()
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    checks: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


class Ports:
    """The ports that the runtime hands to create(): stores by their Protocol, other services by theirs."""

    def __init__(self, bound: Mapping[type, Any], clock: Clock | None = None) -> None:
        self._bound = dict(bound)
        self.clock: Clock = clock or SystemClock()

    def get(self, port: type[P]) -> P:
        """The object bound to `port`. Raises LookupError when the catalog does not list it as needed."""
        try:
            found: P = self._bound[port]
        except KeyError:
            raise LookupError(f"{port.__name__} is not among the service's needs in the catalog") from None
        return found
