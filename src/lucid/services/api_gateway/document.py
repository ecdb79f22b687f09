"""The services' OpenAPI documents: the operations in them, and all of them as one."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import structlog

import lucid
from lucid.model.permission import Permission
from lucid.ports.apicatalog import API_PREFIX, NO_PERMISSION, PERMISSION_EXTENSION, SIGNED_EXTENSION
from lucid.services.api_gateway.routing import Operation

WEBSOCKET_EXTENSION = "x-websocket"
DOCUMENT_PATH = f"{API_PREFIX}/openapi.json"

Document = Mapping[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_REF = re.compile(r'#/components/([^/"]+)/([^/"]+)')
_log = structlog.get_logger()

_INFO = {
    "title": "Lucid",
    "version": lucid.__version__,
    "description": (
        "Every operation names the permission that it needs in `x-permission`. Errors are problem documents (RFC "
        "9457). Limits are told in `RateLimit` and `RateLimit-Policy`; beyond them the answer is 429 with "
        "`Retry-After`. Each answer has an `X-Request-ID`."
    ),
}
_SECURITY_SCHEMES = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "an access token, from a login",
    },
    "apiToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "lucid_pat_…",
        "description": "a personal API token",
    },
}
_OWN_PATH = {
    "get": {
        "operationId": "openapiDocument",
        "summary": "This document",
        "tags": ["api-gateway"],
        PERMISSION_EXTENSION: NO_PERMISSION,
        "security": [],
        "responses": {
            "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}},
            "default": {"description": "Anything that went wrong", "content": {"application/problem+json": {}}},
        },
    }
}


def operations_of(service: str, prefixes: Iterable[str], document: Document) -> list[Operation]:
    """The operations that may be routed: below the service's prefixes and with a known permission. Others are
    logged: their service has a fault, or is not what it says."""
    prefixes = tuple(prefixes)
    found = []
    for path, method, operation in _operations(document):
        permission = operation.get(PERMISSION_EXTENSION)
        if not any(path == prefix or path.startswith(prefix + "/") for prefix in prefixes):
            _log.error("operation not routed", service=service, path=path, why="outside of the service's prefixes")
        elif permission in (NO_PERMISSION, *Permission):
            needed = None if permission == NO_PERMISSION else Permission(str(permission))
            websocket = operation.get(WEBSOCKET_EXTENSION) is True
            signed = operation.get(SIGNED_EXTENSION) is True
            found.append(Operation(service, method.upper(), path, needed, websocket=websocket, signed=signed))
        else:
            _log.error("operation not routed", service=service, path=path, why=f"permission {permission!r}")
    return found


def merged(documents: Mapping[str, Document]) -> dict[str, Any]:
    """One OpenAPI 3.1 document of all services. Components of the same name stay one when they say the same;
    otherwise each carries its service's name."""
    renamed = _conflicts(documents)
    paths: dict[str, Any] = {DOCUMENT_PATH: _OWN_PATH}
    components: dict[str, dict[str, Any]] = {}
    ids = {"openapiDocument"}
    for service, document in sorted(documents.items()):
        changes = {(kind, name): _camel(service) + name for kind, name in renamed}
        changed = _renamed(document, changes)
        for kind, things in changed.get("components", {}).items():
            for name, thing in things.items():
                components.setdefault(kind, {})[changes.get((kind, name), name)] = _titled(
                    thing, changes.get((kind, name))
                )
        for _, _, operation in _operations(changed):
            _complete(service, operation, ids)
        for path, item in changed.get("paths", {}).items():
            paths.setdefault(path, {}).update(item)
    components["securitySchemes"] = dict(_SECURITY_SCHEMES)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/"}],
        "tags": [
            {"name": service, "description": document.get("info", {}).get("description", "")}
            for service, document in sorted(documents.items())
        ],
        "security": [{"accessToken": []}, {"apiToken": []}],
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def _complete(service: str, operation: dict[str, Any], ids: set[str]) -> None:
    """Make the operation's id unique, and say whose it is."""
    name = operation.get("operationId", "operation")
    unique = name if name not in ids else _camel(service) + name[:1].upper() + name[1:]
    ids.add(unique)
    operation["operationId"] = unique
    operation["tags"] = [service]


def _operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _conflicts(documents: Mapping[str, Document]) -> set[tuple[str, str]]:
    """Components (kind and name) that mean different things in different documents: because they differ, or because
    one that they refer to does."""
    found: dict[tuple[str, str], list[str]] = {}
    for document in documents.values():
        for kind, things in document.get("components", {}).items():
            for name, thing in things.items():
                found.setdefault((kind, name), []).append(json.dumps(thing, sort_keys=True))
    conflicts = {key for key, texts in found.items() if len(set(texts)) > 1}
    shared = {key: set(_REF.findall(texts[0])) for key, texts in found.items() if len(texts) > 1}
    while further := {key for key, refs in shared.items() if refs & conflicts} - conflicts:
        conflicts |= further
    return conflicts


def _renamed(node: Any, changes: Mapping[tuple[str, str], str]) -> Any:
    """A copy of `node` whose references go to the components' new names."""
    if isinstance(node, list):
        return [_renamed(part, changes) for part in node]
    if not isinstance(node, Mapping):
        return node
    copy: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            copy[key] = _reference(value, changes)
        elif key == "mapping" and isinstance(value, Mapping):  # of a discriminator
            copy[key] = {name: _reference(str(target), changes) for name, target in value.items()}
        else:
            copy[key] = _renamed(value, changes)
    return copy


def _titled(component: Any, name: str | None) -> Any:
    """Generators name a schema's class by its title, which must then be as unique as its name."""
    if name is None or "title" not in component:
        return component
    return {**component, "title": name}


def _reference(text: str, changes: Mapping[tuple[str, str], str]) -> str:
    found = _REF.fullmatch(text)
    if found and (name := changes.get((found[1], found[2]))):
        return f"#/components/{found[1]}/{name}"
    return text


def _camel(service: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[^a-z0-9]+", service))
