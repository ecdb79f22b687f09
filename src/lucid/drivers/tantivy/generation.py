"""One generation of an index: a folder of tantivy. All methods block, and are called in threads.

tantivy reads the sort keys of the best documents of each segment out of a compressed dictionary, 25 us a key: most
of a search for a long page. So a search looks first how far the page can reach, by the numbers that sort keys
begin with, which costs next to nothing, and orders only what is before that.
"""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog
from tantivy import (
    Document,
    FieldType,
    Index,
    IndexWriter,
    Occur,
    Order,
    Schema,
    SchemaBuilder,
    TextAnalyzerBuilder,
    Tokenizer,
)
from tantivy import Query as TantivyQuery

from lucid.base.errors import Conflict
from lucid.drivers.indexing import Flat, Plan, Row, clean, fields_of, keywords_of, leading, sortable
from lucid.ports.search import Collection

HEAP_BYTES = 60_000_000
"""Most memory of a writer. With less a big batch becomes many segments, and merging them costs more than indexing."""
_WORDS = "lucid-words"
_BASIC = "basic"

_log = structlog.get_logger()


def schema_of(collection: Collection) -> Schema:
    """The fields of Flat: `k_…` keywords, `n_…` numbers, `s_…` sort keys, and `c_…`, the numbers they begin with; fast
    fields order and compare."""
    builder = SchemaBuilder().add_bytes_field("body", stored=True)
    builder.add_text_field("words", tokenizer_name=_WORDS, index_option=_BASIC)
    for name in keywords_of(collection):
        builder.add_text_field(f"k_{name}", stored=name == "id", tokenizer_name="raw", index_option=_BASIC)
    for name in fields_of(collection, "time", "number"):
        builder.add_float_field(f"n_{name}", indexed=True, fast=True)
    for name in sortable(collection):
        builder.add_text_field(f"s_{name}", fast=True, tokenizer_name="raw", index_option=_BASIC)
        builder.add_unsigned_field(f"c_{name}", fast=True)
    return builder.build()


class Generation:
    """An index in `folder`, which is made when it is not there, and made anew when it cannot be read: an index can be
    lost. Raises Conflict on the first write when another process writes to it."""

    def __init__(self, folder: Path, collection: Collection) -> None:
        self.folder = folder
        self._schema = schema_of(collection)
        try:
            self._index = self._open()
        except (OSError, ValueError) as error:
            _log.warning("search index is begun anew", folder=folder.name, error=str(error))
            shutil.rmtree(folder)
            self._index = self._open()
        self._writer: IndexWriter | None = None

    def _open(self) -> Index:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        index = Index(self._schema, path=str(self.folder))
        index.register_tokenizer(_WORDS, TextAnalyzerBuilder(Tokenizer.whitespace()).build())
        return index

    def apply(self, put: Iterable[Flat], delete: Iterable[str]) -> None:
        """Add or replace, and remove documents, in one commit; seen by searches that begin later."""
        if self._writer is None:
            try:
                self._writer = self._index.writer(heap_size=HEAP_BYTES, num_threads=1)
            except ValueError as error:
                raise Conflict(f"the search index is written by another process: {error}") from None
        for gone in delete:
            self._writer.delete_documents_by_term("k_id", clean(gone))
        for flat in put:
            self._writer.delete_documents_by_term("k_id", flat.keywords["id"][0])
            self._writer.add_document(_document(flat))
        self._writer.commit()
        self._index.reload()

    def search(self, plan: Plan, limit: int) -> tuple[list[Row], int]:
        """The first `limit` rows behind `plan.after`, and how many documents match in all."""
        searcher = self._index.searcher()
        matching = wanted = self._matching(plan)
        if plan.after:
            bounds = f"{{* TO {plan.after}}}" if plan.falling else f"{{{plan.after} TO *}}"
            wanted = _both(matching, self._index.parse_query(f"s_{plan.sort}:{bounds}"))
        order = Order.Desc if plan.falling else Order.Asc
        near = searcher.search(wanted, limit, count=not plan.after, order_by_field=f"c_{plan.sort}", order=order)
        if len(near.hits) == limit:
            last = near.hits[-1][0]
            ends = (last, None) if plan.falling else (None, last)
            wanted = _both(wanted, TantivyQuery.range_query(self._schema, f"c_{plan.sort}", FieldType.Unsigned, *ends))
        found = searcher.search(wanted, limit, count=False, order_by_field=f"s_{plan.sort}", order=order)
        rows = []
        for key, address in found.hits:
            document = searcher.doc(address)
            rows.append(Row(str(document.get_first("k_id")), bytes(document.get_first("body") or b"").decode(), key))
        total: int = (searcher.search(matching, 1) if plan.after else near).count  # type: ignore[attr-defined]
        return rows, total

    def _matching(self, plan: Plan) -> TantivyQuery:
        must = [TantivyQuery.term_query(self._schema, "words", word, _BASIC) for word in plan.words]
        for name, values in plan.where.items():
            must.append(TantivyQuery.term_set_query(self._schema, f"k_{name}", list(values)))
        for name, least, most in plan.bounds:
            must.append(TantivyQuery.range_query(self._schema, f"n_{name}", FieldType.Float, least, most))
        if not must:
            return TantivyQuery.all_query()
        return TantivyQuery.boolean_query([(Occur.Must, query) for query in must])

    def close(self) -> None:
        """Give the index up, so that another process may write to it."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.wait_merging_threads()

    def destroy(self) -> None:
        """Close the index and remove its files; searches that began before go on."""
        self.close()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def _both(one: TantivyQuery, other: TantivyQuery) -> TantivyQuery:
    return TantivyQuery.boolean_query([(Occur.Must, one), (Occur.Must, other)])


def _document(flat: Flat) -> Document:
    document = Document()
    document.add_bytes("body", flat.body.encode())
    document.add_text("words", flat.words)
    for name, values in flat.keywords.items():
        for value in values:
            document.add_text(f"k_{name}", value)
    for name, number in flat.numbers.items():
        document.add_float(f"n_{name}", number)
    for name, key in flat.keys.items():
        document.add_text(f"s_{name}", key)
        document.add_unsigned(f"c_{name}", leading(key))
    return document
