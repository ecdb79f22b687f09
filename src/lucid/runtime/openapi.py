"""The OpenAPI document of a service's public API, with errors as they are: problem documents (RFC 9457)."""

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

import lucid
from lucid.catalog.types import Service
from lucid.ports.apicatalog import NO_PERMISSION, PERMISSION_EXTENSION

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:lucid:error:invalid-input"]},
        "title": {"type": "string", "examples": ["Invalid input"]},
        "status": {"type": "integer", "minimum": 400, "maximum": 599, "examples": [400]},
        "detail": {"type": "string", "examples": ["limit: Input should be less than or equal to 200"]},
        "field": {"type": "string", "description": "the parameter or field that is wrong", "examples": ["limit"]},
        "retry_after_s": {"type": "number", "minimum": 0, "description": "seconds after which to try again"},
    },
}
_VALIDATION = ("HTTPValidationError", "ValidationError")
_METHODS = ("get", "put", "post", "delete", "patch")


def service_document(service: Service, router: APIRouter) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `router`. Raises ValueError for a route outside the service's prefixes, or one that
    names no permission: it would be reachable by nobody, or by everybody."""
    document = get_openapi(
        title=service.name, version=lucid.__version__, description=service.summary, routes=router.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _VALIDATION:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    for path, methods in document.get("paths", {}).items():
        if not any(path == prefix or path.startswith(prefix + "/") for prefix in service.api):
            raise ValueError(f"{service.name}: {path} is outside of the prefixes that the catalog gives it")
        for method in _METHODS:
            if method in methods:
                _complete(f"{service.name}: {method.upper()} {path}", methods[method])
    return document


def _complete(where: str, operation: dict[str, Any]) -> None:
    permission = operation.get(PERMISSION_EXTENSION)
    if permission is None:
        raise ValueError(f"{where} names no permission")
    responses = operation["responses"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if responses.pop("422", None) is not None:
        responses["400"] = {"description": "A parameter or field is wrong; `field` names it", "content": problem}
    if permission != NO_PERMISSION:
        responses["401"] = {"description": "No valid token was shown", "content": problem}
        responses["403"] = {"description": f"This needs the permission {permission}", "content": problem}
    for status, response in responses.items():
        if status[0] in "45":
            response["content"] = problem
    responses["default"] = {"description": "Anything else that went wrong", "content": problem}
