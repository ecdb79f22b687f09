"""Canonical JSON (RFC 8785) and digests: the bytes that are hashed and signed."""

import hashlib
import json
import re
from typing import Annotated, Any, Self

import rfc8785
from pydantic import StringConstraints, ValidationError

from lucid.base.errors import InvalidInput
from lucid.base.value import Value

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest as 64 lower-case hex digits."""

DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
NO_DIGEST = "0" * 64


def digest_of(data: bytes) -> str:
    """SHA-256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_MAX_INTEGER = 2**53 - 1
_MOST_MEMBERS = 100
"""Of an object in a CanonicalValue, where none has as many. Validation keeps an error of a kilobyte for each field
that is unknown, so a forged file could fill the memory; for the same reason long lists in them are FailFast."""


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON-like value. Raises ValueError for one that has none."""
    # The standard library writes strings as RFC 8785 does, five times faster than rfc8785; it would differ in
    # floats, in large integers, and in the order of keys outside of ASCII.
    return _PLAIN.encode(value).encode() if _is_plain(value) else rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(item) for key, item in value.items())
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return kind is str or value is None or kind is bool or (kind is int and abs(value) <= _MAX_INTEGER)


class CanonicalValue(Value):
    """A value with one byte form: its canonical JSON, whose digest names it."""

    def to_bytes(self) -> bytes:
        """Canonical JSON; fields that are None are left out."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True))

    def digest(self) -> str:
        return digest_of(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse canonical JSON. Raises InvalidInput when a field is wrong or the bytes are not canonical."""
        try:
            value = cls.model_validate(json.loads(data, object_pairs_hook=_members))
            canonical = value.to_bytes()
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"not a {cls.__name__}: {first_problem(error)}") from None
        if canonical != data:
            raise InvalidInput(f"not canonical JSON: {cls.__name__}")
        return value


def parse_canonical(data: bytes) -> Any:
    """The value whose canonical JSON is `data`, with numbers as docs/format.md allows them. Raises InvalidInput."""
    try:
        value = json.loads(data, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number)
        canonical = canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not JSON: {first_problem(error)}") from None
    if canonical != data:
        raise InvalidInput("not canonical JSON")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MOST_MEMBERS:
        raise ValueError(f"an object has over {_MOST_MEMBERS} fields")
    return dict(pairs)


def _integer(text: str) -> int:
    value = int(text)
    return value if 0 <= value <= _MAX_INTEGER else _no_number(text)


def _no_number(text: str) -> int:
    raise ValueError(f"a number is not an integer from 0 to 2^53 - 1: {text[:40]}")


def first_problem(error: ValueError | RecursionError) -> str:
    """One line for a person out of a parse or validation error: the field and what was expected."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return str(error)[:200]
