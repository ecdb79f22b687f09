"""What the routes' parameters and answers have in common."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from lucid.access.acts import Origin
from lucid.base.clock import Time
from lucid.base.ids import SessionId
from lucid.ports.api import API_PREFIX, Caller
from lucid.services.session_api.views import EXAMPLE_ID

SESSIONS = f"{API_PREFIX}/sessions"
ABSENT = "there is no such session, or it is somebody else's"
GONE = f"{ABSENT}, or its recording was deleted"
NOT_PROVEN = "the session is not proven yet"

SessionPath = Annotated[SessionId, Path(description="id of the session", examples=[EXAMPLE_ID])]
Limit = Annotated[int, Query(ge=1, le=200, description="most items of the answer")]
Cursor = Annotated[str, Query(max_length=1000, description="`next` of the answer before, to the same question")]
Since = Annotated[
    Time | None, Query(alias="from", description="not before this time", examples=["2026-11-22T00:00:00.000000Z"])
]
Until = Annotated[
    Time | None, Query(alias="to", description="not after this time", examples=["2026-11-23T00:00:00.000000Z"])
]
Sort = Annotated[
    str, Query(max_length=32, description="a field, `-` before it for falling order", examples=["-opened"])
]
Words = Annotated[str, Query(max_length=500, description="words that must all occur", examples=["office"])]

Problems = dict[int | str, dict[str, Any]]


def problems(**about: str) -> Problems:
    """`problems(_404="there is no such host")`: the errors of a route, for its `responses`."""
    return {int(status.removeprefix("_")): {"description": text} for status, text in about.items()}


def content(media_type: str, description: str, **more: str) -> Problems:
    """Responses of a route that answers with a file of this type; `more` as for `problems`."""
    schema: dict[str, Any] = {"type": "string", "format": "binary"}
    if media_type == "application/json":
        schema = {"type": "object"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}, **problems(**more)}


async def _origin(request: Request, principal: Caller) -> Origin:
    """The person and the request, for the audit trail. The api-gateway sets these headers anew."""
    address = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return Origin(principal.user, address[:64], request.headers.get("x-request-id", "")[:64])


CallerOrigin = Annotated[Origin, Depends(_origin)]
