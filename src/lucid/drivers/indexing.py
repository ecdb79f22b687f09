"""What the search engines have in common: documents as flat fields, queries as plans, cursors.

Words are split and folded here (lucid.model.words), so every engine finds the same; an engine compares whole words,
keywords, numbers, and sort keys. A sort key is a text that orders documents by a field and then by id, in hex, so it
is unique, compares by bytes, and is all that a cursor has to hold.
"""

import base64
import binascii
import hashlib
import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lucid.base.clock import parse_time
from lucid.base.errors import InvalidInput
from lucid.model.words import highlight, words
from lucid.ports.search import Collection, FieldKind, Hit, Indexed, Page, Query

ID = "id"
"""The document's id, a keyword field that every collection has."""
MAX_KEYWORD = 256
"""A longer keyword is compared by its first so many characters."""
MAX_ID = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Flat:
    """A document as an engine holds it. `body` is its JSON, which is only kept; `keys` are sort keys by field."""

    id: str
    body: str
    words: str
    keywords: dict[str, list[str]]
    numbers: dict[str, float]
    keys: dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """A query as an engine runs it. `bounds` are field, least and most; `after` is the sort key to continue behind, or
    empty. `fingerprint` is that of the query without its cursor and limit."""

    words: tuple[str, ...]
    where: dict[str, tuple[str, ...]]
    bounds: tuple[tuple[str, float | None, float | None], ...]
    sort: str
    falling: bool
    after: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Row:
    """A found document as the engine holds it."""

    id: str
    body: str
    key: str


def fields_of(collection: Collection, *kinds: FieldKind) -> list[str]:
    """The collection's fields of these kinds."""
    return [name for name, kind in collection.fields.items() if kind in kinds]


def keywords_of(collection: Collection) -> list[str]:
    """Fields that are compared as keywords, the id among them."""
    return [ID, *fields_of(collection, "keyword")]


def sortable(collection: Collection) -> list[str]:
    """Fields that have sort keys."""
    return [*keywords_of(collection), *fields_of(collection, "time", "number")]


def shape_of(collection: Collection) -> str:
    """Names the fields of a collection: an index of another shape cannot be used."""
    return hashlib.sha256(json.dumps(sorted(collection.fields.items())).encode()).hexdigest()[:8]


def flatten(collection: Collection, document: Indexed) -> Flat:
    """Raises InvalidInput for a field whose value is not of its kind, or an id that is too long."""
    if not 0 < len(document.id) <= MAX_ID or "\0" in document.id:
        raise InvalidInput(f"document {document.id[:40]!r}: expected an id of 1 to {MAX_ID} characters without NUL")
    texts: list[str] = []
    keywords: dict[str, list[str]] = {ID: [clean(document.id)]}
    numbers: dict[str, float] = {}
    for name, kind in collection.fields.items():
        if (value := document.body.get(name)) is None:
            continue
        if kind == "text":
            texts += [word.folded for text in _texts(name, value) for word in words(text)]
        elif kind == "keyword":
            keywords[name] = [clean(text)[:MAX_KEYWORD] for text in _texts(name, value)]
        else:
            numbers[name] = _number(name, kind, value)
    keys = {name: _key(document.id, keywords.get(name), numbers.get(name)) for name in sortable(collection)}
    return Flat(document.id, json.dumps(document.body), " ".join(dict.fromkeys(texts)), keywords, numbers, keys)


def plan(collection: Collection, query: Query) -> Plan:
    """Raises InvalidInput for a field that the collection does not have, or has in another kind, a bound that is not
    of the field's kind, and a cursor of another query."""
    keywords, ranged = keywords_of(collection), fields_of(collection, "time", "number")
    if unknown := set(query.where) - set(keywords):
        raise InvalidInput(f"where: no keyword field {min(unknown)!r}", field="where")
    bounds: list[tuple[str, float | None, float | None]] = []
    for bound in query.ranges:
        if bound.field not in ranged:
            raise InvalidInput(f"ranges: no time or number field {bound.field!r}", field="ranges")
        kind = collection.fields[bound.field]
        least, most = (
            None if end is None else _number(bound.field, kind, end) for end in (bound.at_least, bound.at_most)
        )
        bounds.append((bound.field, least, most))
    sort = query.sort.removeprefix("-") or ID
    if sort not in sortable(collection):
        raise InvalidInput(f"sort: no time, number or keyword field {sort!r}", field="sort")
    asked = [collection.name, query.model_dump(mode="json", exclude={"cursor", "limit"})]
    fingerprint = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    return Plan(
        words=tuple(dict.fromkeys(word.folded for word in words(query.text))),
        where={name: tuple(clean(value)[:MAX_KEYWORD] for value in values) for name, values in query.where.items()},
        bounds=tuple(bounds),
        sort=sort,
        falling=query.sort.startswith("-"),
        after=_read_cursor(query.cursor, fingerprint) if query.cursor else "",
        fingerprint=fingerprint,
    )


def page(collection: Collection, query: Query, found: Plan, rows: Sequence[Row], total: int) -> Page:
    """The page of `query` out of the rows that the engine found, one more than its limit if there are further ones."""
    shown = rows[: query.limit]
    wanted, texts = frozenset(found.words), fields_of(collection, "text")
    hits = tuple(_hit(row, texts, wanted) for row in shown)
    more = len(rows) > len(shown)
    return Page(hits=hits, total=total, next=_cursor(found.fingerprint, shown[-1].key) if more else "")


def _hit(row: Row, texts: Iterable[str], wanted: frozenset[str]) -> Hit:
    body: dict[str, Any] = json.loads(row.body)
    highlights = {}
    for name in texts if wanted else ():
        if body.get(name) is not None:
            fragments = [part for text in _texts(name, body[name]) for part in highlight(text, wanted)]
            if fragments:
                highlights[name] = tuple(fragments)
    return Hit(id=row.id, body=body, highlights=highlights)


def _texts(name: str, value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, str | bool | int) for item in values):
        raise InvalidInput(f"{name}: expected a text or a list of texts", field=name)
    return [item if isinstance(item, str) else json.dumps(item) for item in values]


def _number(name: str, kind: FieldKind, value: Any) -> float:
    """A number, or a time as microseconds since 1970, as a double holds them exactly."""
    try:
        if kind == "time":
            return float((parse_time(value) - _EPOCH) // timedelta(microseconds=1))
        if isinstance(value, int | float) and math.isfinite(number := float(value)):
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(f"{name}: expected a {kind}, not {str(value)[:40]!r}", field=name)


def _key(id: str, keywords: list[str] | None, number: float | None) -> str:
    """Behind all others in rising order: a document that does not have the field."""
    if number is not None:
        bits = int.from_bytes(struct.pack(">d", number + 0.0), "big")  # -0.0 becomes 0.0
        ordered = bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 1 << 63)
        value = b"\1" + ordered.to_bytes(8, "big")
    elif keywords:
        value = b"\1" + keywords[0].encode() + b"\0"
    else:
        value = b"\2"
    return (value + clean(id).encode()).hex()


def leading(key: str) -> int:
    """The first 8 bytes of the value in a sort key, as a number: keys never order otherwise than these numbers, but
    may differ where they do not."""
    raw = bytes.fromhex(key)
    return int.from_bytes(raw[1:9].ljust(8, b"\0"), "big") if raw[0] == 1 else 0xFFFF_FFFF_FFFF_FFFF


def clean(text: str) -> str:
    """The text without lone surrogates, which have no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _cursor(fingerprint: str, key: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(fingerprint + key)).decode()


def _read_cursor(cursor: str, fingerprint: str) -> str:
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).hex()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(fingerprint) or len(text) <= len(fingerprint):
        raise InvalidInput("cursor: it is not one of this query", field="cursor")
    return text.removeprefix(fingerprint)
