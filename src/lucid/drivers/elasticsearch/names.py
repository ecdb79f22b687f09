"""How a collection's indexes are called, mapped, and asked."""

import re
from dataclasses import dataclass
from typing import Any

from lucid.drivers.indexing import Flat, Plan, fields_of, keywords_of, shape_of, sortable
from lucid.ports.search import Collection

Json = dict[str, Any]

GONE = "gone"
"""Marks an id that was deleted while its index was being rebuilt, so that the rebuilding does not bring it back."""


@dataclass(frozen=True, slots=True)
class Names:
    """`current` and `new` are aliases: of the index that is searched, and of the one that is being rebuilt."""

    family: str
    current: str

    @classmethod
    def of(cls, prefix: str, collection: Collection) -> "Names":
        family = f"{prefix}-{collection.name}"
        return cls(family, f"{family}-{shape_of(collection)}")

    @property
    def new(self) -> str:
        return f"{self.current}-new"

    def index(self, generation: str) -> str:
        return f"{self.current}-{generation}"

    def is_of_family(self, index: str) -> bool:
        """Whether an index is one of the collection, in this or another shape."""
        return re.fullmatch(rf"{re.escape(self.family)}-[0-9a-f]{{8}}-[0-9]+", index) is not None

    def generation(self, index: str) -> int:
        """The number in the name of an index."""
        number = index.rpartition("-")[2]
        return int(number) if number.isdecimal() else 0


def mapping_of(collection: Collection) -> Json:
    """The fields of lucid.drivers.indexing.Flat. `body` is kept and nothing else."""

    def object_of(kind: str, names: list[str]) -> Json:
        return {"properties": {name: {"type": kind} for name in names}}

    return {
        "dynamic": False,
        "properties": {
            "body": {"type": "keyword", "index": False, "doc_values": False},
            "words": {"type": "text", "analyzer": "whitespace", "norms": False, "index_options": "docs"},
            "k": object_of("keyword", keywords_of(collection)),
            "n": object_of("double", fields_of(collection, "time", "number")),
            "s": object_of("keyword", sortable(collection)),
            GONE: {"type": "boolean"},
        },
    }


def source_of(flat: Flat) -> Json:
    """The document as Elasticsearch takes it."""
    return {"body": flat.body, "words": flat.words, "k": flat.keywords, "n": flat.numbers, "s": flat.keys}


def query_of(plan: Plan) -> Json:
    """The plan without order and cursor, as a query that does not score."""
    must: list[Json] = [{"term": {"words": word}} for word in plan.words]
    must += [{"terms": {f"k.{name}": list(values)}} for name, values in plan.where.items()]
    for name, least, most in plan.bounds:
        ends = {"gte": least, "lte": most}
        must.append({"range": {f"n.{name}": {end: value for end, value in ends.items() if value is not None}}})
    return {"bool": {"filter": must, "must_not": [{"term": {GONE: True}}]}}
