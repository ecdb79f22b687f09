"""The JSON bodies of documents and events."""

import json

from lucid.base.errors import InvalidInput
from lucid.ports.stores import Json


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
