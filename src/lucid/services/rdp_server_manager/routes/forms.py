"""What the routes' parameters and answers have in common."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, WithJsonSchema

from lucid.access.acts import Origin
from lucid.base.ids import Name
from lucid.base.secret import Secret
from lucid.ports.api import Caller

LONGEST_PASSWORD = 256


def _check(secret: Secret) -> Secret:
    if not 1 <= len(secret.reveal()) <= LONGEST_PASSWORD:
        raise ValueError(f"expected 1 to {LONGEST_PASSWORD} characters")
    return secret


PasswordText = Annotated[
    Secret,
    AfterValidator(_check),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_PASSWORD,
            "format": "password",
            "writeOnly": True,
            "examples": ["the account's password"],
        }
    ),
]

HostName = Annotated[Name, Path(description="name of the host", examples=["office"])]
DesktopName = Annotated[Name, Path(description="name of the desktop", examples=["ada-1"])]
Limit = Annotated[int, Query(ge=1, le=200, description="most items of the answer")]
After = Annotated[Name | None, Query(description="`next` of the answer before", examples=["office"])]

Problems = dict[int | str, dict[str, Any]]


def problems(**about: str) -> Problems:
    """`problems(_404="there is no such host")`: the errors of a route, for its `responses`."""
    return {int(status.removeprefix("_")): {"description": text} for status, text in about.items()}


async def _origin(request: Request, principal: Caller) -> Origin:
    """The person and the request, for the audit trail. The api-gateway sets these headers anew."""
    address = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return Origin(principal.user, address[:64], request.headers.get("x-request-id", "")[:64])


CallerOrigin = Annotated[Origin, Depends(_origin)]
