"""The JSON bodies of documents and events, and the fields that documents may be searched by."""

import json
import re
from collections.abc import Iterable

from lucid.base.errors import InvalidInput
from lucid.ports.stores import Json

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def encode_json(value: object) -> str:
    """Compact JSON text. Raises InvalidInput for what JSON in UTF-8 cannot hold (NaN, lone surrogates)."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"body: {error}", field="body") from None
    return text


def encode_body(body: Json) -> str:
    """`encode_json` of a document's or event's body, which is an object."""
    if not isinstance(body, dict):
        raise InvalidInput("body: expected an object", field="body")
    return encode_json(body)


def check_fields(names: Iterable[str]) -> None:
    """Raises InvalidInput for a name that is no top-level field: it becomes part of a query's text."""
    for name in names:
        if not _FIELD.fullmatch(name):
            raise InvalidInput(f"where: not the name of a top-level field: {name[:80]!r}", field="where")
