"""Search over what the stores hold. It can be lost and made again from them at any time."""

from typing import Any, Literal, Protocol

from pydantic import Field

from lucid.base.ids import Name
from lucid.base.value import Value

FieldKind = Literal["keyword", "text", "time", "number"]
"""keyword: equal or one of; text: words; time (docs/format.md) and number: ranges and sorting."""


class Collection(Value):
    """What an index holds: the fields of its documents, besides `id`, which is a keyword in each. A text or keyword
    field holds a text or a list of texts. Fields that are not named here are kept, not searched."""

    name: Name
    fields: dict[str, FieldKind]


class Indexed(Value):
    """One document of an index."""

    id: str
    body: dict[str, Any]


class Range(Value):
    """Bounds of a time or number field, both inclusive."""

    field: str
    at_least: str | float | None = None
    at_most: str | float | None = None


class Query(Value):
    """What to look for. `text` is words for the text fields, all of which must occur, compared as lucid.model.words
    says; empty: everything. `where` are keyword fields with the values that they may have. `sort` is a time, number or
    keyword field, `-` before it for falling order; empty: `id`. Ties go by id, in the same order; documents without
    the field come last in rising order. `cursor` is the `next` of the page before, for the same query."""

    text: str = Field(default="", max_length=500)
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    ranges: tuple[Range, ...] = ()
    sort: str = Field(default="", max_length=64)
    cursor: str = Field(default="", max_length=1000)
    limit: int = Field(default=20, ge=1, le=200)


class Hit(Value):
    """A found document; `highlights` has, by text field, fragments with `<em>` around what matched; all else in a
    fragment is HTML-escaped."""

    id: str
    body: dict[str, Any]
    highlights: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Page(Value):
    """Hits in order; `next` is empty on the last page. `total` is how many there are in all."""

    hits: tuple[Hit, ...]
    total: int
    next: str = ""


class SearchIndex(Protocol):
    """Indexes of documents. Contract: tests/contract/test_search.py."""

    async def put(self, collection: Collection, documents: list[Indexed]) -> None:
        """Add or replace documents; found by searches that begin after the call returns. Raises InvalidInput for an
        id that is not of 1 to 128 characters or a value that is not of its field's kind (none is added then),
        Unavailable."""
        ...

    async def delete(self, collection: Collection, ids: list[str]) -> None:
        """Remove documents; one that is not there is no error."""
        ...

    async def search(self, collection: Collection, query: Query) -> Page:
        """Raises InvalidInput for an unknown field or a cursor of another query, Unavailable. An index that does not
        exist yet is empty."""
        ...

    async def begin_rebuild(self, collection: Collection) -> str:
        """Begin a new, empty generation of the index and return its name; searches go on in the old one, and `put`
        and `delete` go to both. It takes the place of another one that was begun and not ended."""
        ...

    async def put_rebuilt(self, collection: Collection, generation: str, documents: list[Indexed]) -> None:
        """Add documents to the new generation alone, unless it has a newer one of that id by `put` or `delete`. Raises
        NotFound when that generation is not being rebuilt (any more)."""
        ...

    async def end_rebuild(self, collection: Collection, generation: str, *, keep: bool) -> None:
        """Make the new generation the one that is searched and drop the old one; with `keep` False drop the new one.
        Raises NotFound as `put_rebuilt` does."""
        ...


SearchKind = Literal["sessions", "typed", "hosts", "accounts", "audit"]
"""What people can search; `typed` is the text typed in recorded sessions, where their policy allows that."""


class Rebuild(Value):
    """How far the rebuilding of the search index is: `done` documents of the kind `kind`, of which the old index has
    `expected`. `error` says why the last one failed."""

    running: bool
    kind: SearchKind | Literal[""] = ""
    done: int = 0
    expected: int = 0
    indexed: int = Field(default=0, description="documents of all kinds so far")
    error: str = ""


class Search(Protocol):
    """The search index as its owner offers it to the operator. Offered by session-api."""

    async def rebuild(self) -> None:
        """Begin to make the whole index again from the stores, while searches go on. Raises Conflict while that is
        going on already."""
        ...

    async def rebuild_state(self, *, wait_s: float) -> Rebuild:
        """The state as soon as it has changed, or as it is after `wait_s`."""
        ...
