"""From a request's path and method to the operation that it is, as the services' OpenAPI documents say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lucid.base.errors import NotFound, Unavailable
from lucid.model.permission import Permission
from lucid.services.api_gateway.errors import MethodNotAllowed

_PARAMETER = re.compile(r"\{[^{}/]+\}")
_SAFE = frozenset({"GET", "HEAD"})
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path of a service. `permission` None: everybody may. `cacheable`: the answer's own
    Cache-Control holds, which is for files that are the same for everybody. `signed`: whoever sends a request signs
    it."""

    service: str
    method: str
    path: str
    permission: Permission | None
    websocket: bool = False
    cacheable: bool = False
    signed: bool = False

    @property
    def strict(self) -> bool:
        """Whether the stricter limit holds: who changes something without a token or signature is logging in, or
        guessing."""
        return self.permission is None and not self.signed and self.method not in _SAFE


@dataclass(frozen=True, slots=True)
class Match:
    """What a request asks for: the operation, and the raw path at the service."""

    operation: Operation
    target: str


class Routes:
    """All operations. Paths are compared decoded and in the order of the documents, as the services do it themselves,
    so that gateway and service agree on which operation a request is.

    `expected` are the prefixes of services by name, of which some may not be known yet. `published` maps public paths
    to a service and the path there; one that ends in `/` is everything below it.
    """

    def __init__(
        self,
        operations: Iterable[Operation],
        *,
        expected: Mapping[str, Iterable[str]],
        published: Mapping[str, tuple[str, str]],
    ) -> None:
        self._buckets: dict[tuple[int, str], list[tuple[re.Pattern[str], Operation]]] = {}
        known = set()
        for operation in operations:
            known.add(operation.service)
            key = _bucket(operation.path.split("/"))
            self._buckets.setdefault(key, []).append((_pattern(operation.path), operation))
        self._expected = {
            prefix: service for service, prefixes in expected.items() if service not in known for prefix in prefixes
        }
        self._files = {path: _file(path, *target) for path, target in published.items() if not path.endswith("/")}
        self._trees = {path: _file(path, *target) for path, target in published.items() if path.endswith("/")}

    def match(self, method: str, path: str, raw_path: str) -> Match:
        """Raises NotFound, MethodNotAllowed, and Unavailable when it is a path of a service not seen yet."""
        segments = path.split("/")
        if "." in segments or ".." in segments:
            raise NotFound("no such path")
        allowed = set()
        for pattern, operation in self._buckets.get(_bucket(segments), ()):
            if pattern.fullmatch(path):
                if operation.method == method:
                    return Match(operation, raw_path)
                allowed.add(operation.method)
        if allowed:
            raise MethodNotAllowed(frozenset(allowed))
        if (published := self._published(raw_path)) is not None:
            if published.operation.method != method:
                raise MethodNotAllowed(frozenset({published.operation.method}))
            return published
        for prefix, service in self._expected.items():
            if path == prefix or path.startswith(prefix + "/"):
                raise Unavailable(f"{service} has not been seen yet", retry_after_s=_RETRY_S)
        raise NotFound("no such path")

    def _published(self, raw_path: str) -> Match | None:
        if (file := self._files.get(raw_path)) is not None:
            return file
        for path, tree in self._trees.items():
            if raw_path.startswith(path) and len(raw_path) > len(path):
                return Match(tree.operation, tree.target + raw_path[len(path) :])
        return None

    def methods(self, path: str) -> frozenset[str]:
        """The methods that a path knows; empty for an unknown one."""
        found = self._buckets.get(_bucket(path.split("/")), ())
        return frozenset(operation.method for pattern, operation in found if pattern.fullmatch(path))


def _bucket(segments: list[str]) -> tuple[int, str]:
    """Paths that cannot be told apart by their length and the first word behind the version: few."""
    return len(segments), segments[3] if len(segments) > 3 else ""


def _pattern(template: str) -> re.Pattern[str]:
    literals = [re.escape(part) for part in _PARAMETER.split(template)]
    return re.compile("[^/]+".join(literals), re.DOTALL)


def _file(path: str, service: str, target: str) -> Match:
    return Match(Operation(service, "GET", path, None, cacheable=True), target)
