"""The public API of a service: routes that say which permission they need, and who is asking.

A service's routes stand in an APIRouter under one of the prefixes that the catalog gives it (`/api/v1/...`). Each
names its permission with `requires(...)`, or says `PUBLIC`; the api-gateway reads that from the service's OpenAPI
document (`x-permission`), checks it, and passes the principal on; the service checks it again. A route without either
is not routed, and refused at start-up.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from lucid.base.errors import Forbidden, Unauthenticated
from lucid.model.permission import Permission
from lucid.model.principal import Principal
from lucid.ports.apicatalog import (
    API_PREFIX,
    NO_PERMISSION,
    PERMISSION_EXTENSION,
    PRINCIPAL_KEY,
    SIGNED_EXTENSION,
)

__all__ = [
    "API_PREFIX",
    "NO_PERMISSION",
    "PERMISSION_EXTENSION",
    "PRINCIPAL_KEY",
    "PUBLIC",
    "SIGNED",
    "Caller",
    "requires",
]

PUBLIC: Mapping[str, Any] = {"openapi_extra": {PERMISSION_EXTENSION: NO_PERMISSION, "security": []}}
"""`@router.post("/x", **PUBLIC)`: a route that anybody may call, a login say."""

SIGNED: Mapping[str, Any] = {
    "openapi_extra": {PERMISSION_EXTENSION: NO_PERMISSION, SIGNED_EXTENSION: True, "security": []}
}
"""`@router.post("/x", **SIGNED)`: a route whose requests are signed, and need no token for that. The limit of logins is
not for them: many who sign may share an address."""


async def principal_of(request: HTTPConnection) -> Principal:
    """The person who makes the request. Raises Unauthenticated when the gateway stated none."""
    found = request.scope.get(PRINCIPAL_KEY)
    if not isinstance(found, Principal):
        raise Unauthenticated("a valid bearer token is required")
    return found


Caller = Annotated[Principal, Depends(principal_of)]
"""Type of an endpoint's parameter that takes the principal."""


def requires(permission: Permission) -> Mapping[str, Any]:
    """`@router.get("/x", **requires(Permission.X))`: a route for people who have the permission. Raises Forbidden to
    others."""

    async def check(principal: Caller) -> None:
        if not principal.may(permission):
            raise Forbidden(f"this needs the permission {permission.value}")

    dependency: Dependency = Depends(check)
    return {"dependencies": [dependency], "openapi_extra": {PERMISSION_EXTENSION: permission.value}}
