"""Bodies of requests: JSON whose fields Consul reads without regard to case and underscores."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from lucid.services.service_mesh.api.door import content
from lucid.services.service_mesh.durations import seconds
from lucid.services.service_mesh.errors import bad

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 64


async def body(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one is empty. Raises Refusal."""
    found = await decoded(request)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad("Request decode failed: expected an object")
    return found


async def decoded(request: Request, limit: int = MAX_BODY_BYTES) -> Any:
    """The body as JSON; None when it is empty. Raises Refusal."""
    data = await content(request, limit)
    if not data.strip():
        return None
    try:
        found = json.loads(data)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # no NaN, no half of a surrogate pair
    except (ValueError, RecursionError):
        raise bad("Request decode failed: not JSON in UTF-8") from None
    return found


def member(found: Mapping[str, Any], *names: str) -> Any:
    """A field, whose names Consul reads without regard to case and underscores; None when it is not there."""
    wanted = {name.lower() for name in names}
    for key, value in found.items():
        if key.lower().replace("_", "") in wanted:
            return value
    return None


def text(found: Mapping[str, Any], *names: str, default: str = "", limit: int = 1024) -> str:
    """A field that is a text. Raises Refusal."""
    value = member(found, *names)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise bad(f"{names[0]}: expected a text of at most {limit} characters")
    return value


def duration(found: Mapping[str, Any], *names: str, default: float = 0.0) -> float:
    """A field that is a duration: text as Go writes it, or a number of nanoseconds."""
    value = member(found, *names)
    if value is None or value == "":
        return default
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value / 1e9
    raise bad(f"{names[0]}: expected a duration")


def texts(found: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """A field that is a list of texts."""
    value = member(found, *names)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_FIELDS or not all(isinstance(item, str) for item in value):
        raise bad(f"{names[0]}: expected a list of texts")
    return tuple(value)


def mapping(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A field that is an object."""
    value = member(found, *names)
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_FIELDS:
        raise bad(f"{names[0]}: expected an object")
    return value
