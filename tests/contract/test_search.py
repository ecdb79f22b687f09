"""The contract of the port SearchIndex: on tantivy, and on Elasticsearch's client against a server of that API."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lucid.base.errors import InvalidInput, NotFound, Unavailable
from lucid.drivers.elasticsearch.index import ElasticsearchIndex
from lucid.drivers.elasticsearch.names import Names
from lucid.drivers.tantivy.index import TantivyIndex
from lucid.ports.search import Collection, Indexed, Page, Query, Range, SearchIndex
from tests.contract.noida import noida

THINGS = Collection(
    name="things",
    fields={"title": "text", "note": "text", "kind": "keyword", "tags": "keyword", "made": "time", "size": "number"},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with noida(tmp_path_factory.mktemp("noida")) as url:
        yield url


@pytest.fixture(params=["tantivy", "elasticsearch"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SearchIndex]:
    if request.param == "tantivy":
        embedded = TantivyIndex(tmp_path / "search")
        yield embedded
        await embedded.aclose()
    else:
        remote = ElasticsearchIndex(request.getfixturevalue("server"), prefix=f"t{abs(hash(tmp_path))}")
        yield remote
        await remote.aclose()


def thing(id: str, title: str = "", **body: Any) -> Indexed:
    return Indexed(id=id, body={"title": title, **body})


def at(second: int) -> str:
    return f"2026-11-23T00:00:{second:02}.000000Z"


async def ids(index: SearchIndex, text: str = "", **query: Any) -> list[str]:
    return [hit.id for hit in (await index.search(THINGS, Query(text=text, **query))).hits]


async def test_an_index_that_does_not_exist_is_empty(index: SearchIndex) -> None:
    assert await index.search(THINGS, Query(text="x")) == Page(hits=(), total=0)
    await index.delete(THINGS, ["a"])


async def test_what_was_put_is_found_when_the_call_returns(index: SearchIndex) -> None:
    for n in range(5):
        await index.put(THINGS, [thing(f"id{n}", "demo")])
        assert await ids(index, "demo") == [f"id{k}" for k in range(n + 1)]


async def test_a_document_comes_back_as_it_was_put(index: SearchIndex) -> None:
    body = {"title": "Grüße \U0001f600 \x00 \ud800", "kind": None, "other": {"n": [1, 2.5, True, None]}, "size": -0.0}
    await index.put(THINGS, [Indexed(id="a/b ?*\U0001f600", body=body)])
    (hit,) = (await index.search(THINGS, Query())).hits
    assert (hit.id, hit.body) == ("a/b ?*\U0001f600", body)


async def test_the_same_id_replaces(index: SearchIndex) -> None:
    await index.put(THINGS, [thing("a", "old"), thing("b", "old"), thing("a", "new")])
    assert (await ids(index, "old"), await ids(index, "new")) == (["b"], ["a"])
    await index.put(THINGS, [thing("b", "new")])
    assert (await ids(index, "old"), await ids(index, "new")) == ([], ["a", "b"])


async def test_deleted_documents_are_gone(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(n) for n in "abc"])
    await index.delete(THINGS, ["a", "c", "nonesuch"])
    assert await ids(index) == ["b"]
    await index.put(THINGS, [thing("a")])
    assert await ids(index) == ["a", "b"]


async def test_all_words_must_occur_in_any_text_field(index: SearchIndex) -> None:
    await index.put(
        THINGS, [thing("a", "red fox", note="runs fast"), thing("b", "red dog"), thing("c", "", note="Red, fast: FOX!")]
    )
    assert await ids(index, "red") == ["a", "b", "c"]
    assert await ids(index, "FAST red") == ["a", "c"]
    assert await ids(index, "fast-fox red") == ["a", "c"]
    assert await ids(index, "re") == []


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Zoë Ångström", "zoe angstrom"),
        ("cafe\u0301", "CAFÉ"),
        ("Straße", "STRASSE"),
        ("Øresund Łódź", "oresund lodz"),
        ("ﬁle №5 \uff57\uff49\uff44\uff45", "file 5 wide"),
        ("東京都の会議", "会議"),
        ("नमस्ते दुनिया", "दुनिया"),
        ("Привет, МИР", "мир привет"),
        ("xn--demo_42.example.org", "demo 42 org"),
        ("a" * 1000, "a" * 100),
    ],
)
async def test_words_are_compared_without_case_and_marks(index: SearchIndex, stored: str, asked: str) -> None:
    await index.put(THINGS, [thing("a", stored), thing("b", "something else")])
    assert await ids(index, asked) == ["a"]


@pytest.mark.parametrize("text", ["\x00", "* OR ?", 'title:"x" AND (', "\U0001f600", "+-!~^[]{}\\/"])
async def test_a_text_has_no_syntax(index: SearchIndex, text: str) -> None:
    await index.put(THINGS, [thing("a", "plain")])
    page = await index.search(THINGS, Query(text=text))
    assert page.total in (0, 1)
    assert await ids(index, f"plain {text} OR nonesuch") == []


async def test_keywords_filter(index: SearchIndex) -> None:
    await index.put(
        THINGS,
        [
            thing("a", kind="One Thing", tags=["x", "y"]),
            thing("b", kind="one thing", tags=["y"]),
            thing("c", kind="two", tags=[]),
            thing("d", kind=True),
        ],
    )
    assert await ids(index, where={"kind": ("One Thing",)}) == ["a"]
    assert await ids(index, where={"kind": ("one thing", "two")}) == ["b", "c"]
    assert await ids(index, where={"tags": ("y",)}) == ["a", "b"]
    assert await ids(index, where={"tags": ("y",), "kind": ("one thing",)}) == ["b"]
    assert await ids(index, where={"kind": ("true",)}) == ["d"]
    assert await ids(index, where={"kind": ()}) == []
    assert await ids(index, where={"kind": ("nonesuch\x00",)}) == []
    assert await ids(index, where={"id": ("a", "d", "z")}) == ["a", "d"]


async def test_ranges_include_their_bounds(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(f"{n}", made=at(n), size=n / 4) for n in range(8)] + [thing("none")])
    assert await ids(index, ranges=(Range(field="size", at_least=0.5, at_most=1),)) == ["2", "3", "4"]
    assert await ids(index, ranges=(Range(field="made", at_least=at(6)),)) == ["6", "7"]
    assert await ids(index, ranges=(Range(field="made", at_most=at(2)), Range(field="size", at_least=0.3))) == ["2"]
    assert await ids(index, ranges=(Range(field="made", at_least="2026-11-23T00:00:02.000001Z", at_most=at(3)),)) == [
        "3"
    ]


async def test_hits_are_sorted_with_ties_by_id(index: SearchIndex) -> None:
    sizes = {"a": 2, "b": 10, "c": -3.5, "d": 2, "e": None, "f": 0, "g": -100}
    kinds = {"a": "b", "b": "B", "c": "ä", "d": "b", "e": "", "f": "bb", "g": "\U0001f600"}
    await index.put(THINGS, [thing(n, size=sizes[n], kind=kinds[n], made=at(n > "d")) for n in sizes])
    assert await ids(index) == list("abcdefg")
    assert await ids(index, sort="-id") == list("gfedcba")
    assert await ids(index, sort="size") == list("gcfadbe")
    assert await ids(index, sort="-size") == list("ebdafcg")
    assert await ids(index, sort="kind") == list("ebadfcg")
    assert await ids(index, sort="-kind") == list("gcfdabe")
    assert await ids(index, sort="-made") == list("gfedcba")


async def pages(index: SearchIndex, query: Query) -> list[str]:
    found: list[str] = []
    while True:
        page = await index.search(THINGS, query)
        found += [hit.id for hit in page.hits]
        if not page.next:
            return found
        assert len(page.hits) == query.limit
        query = query.model_copy(update={"cursor": page.next})


@pytest.mark.parametrize("sort", ["", "-id", "size", "-size", "-made", "kind"])
async def test_a_cursor_goes_through_all_hits_once(index: SearchIndex, sort: str) -> None:
    documents = [thing(f"{n:02}", size=n % 4, made=at(n % 3), kind="x\x00" * (n % 2)) for n in range(30)]
    await index.put(THINGS, documents)
    whole = await ids(index, sort=sort, limit=200)
    assert sorted(whole) == [document.id for document in documents]
    for limit in (1, 7, 15, 29, 30):
        assert await pages(index, Query(sort=sort, limit=limit)) == whole


async def test_paging_neither_loses_nor_repeats_while_documents_are_added(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(f"old{n:03}", "word", size=n // 10) for n in range(100)])
    query, found, n = Query(text="word", sort="-size", limit=9), list[str](), 0
    while True:
        page = await index.search(THINGS, query)
        found += [hit.id for hit in page.hits]
        if not page.next:
            break
        for size in (0, 9):
            n += 1
            await index.put(THINGS, [thing(f"new{n}", "word", size=size)])
        query = query.model_copy(update={"cursor": page.next})
    assert len(found) == len(set(found))
    assert [name for name in found if name.startswith("old")] == [f"old{n:03}" for n in reversed(range(100))]


async def test_total_counts_all_pages(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(f"{n:03}", "even" if n % 2 == 0 else "odd") for n in range(50)])
    query = Query(text="even", limit=10)
    first = await index.search(THINGS, query)
    second = await index.search(THINGS, query.model_copy(update={"cursor": first.next}))
    assert (first.total, second.total, len(second.hits)) == (25, 25, 10)


async def test_highlights_are_escaped(index: SearchIndex) -> None:
    title = "<script>alert('Zoë')</script> & " + "x " * 200 + "zoe again"
    await index.put(THINGS, [thing("a", title, note="nothing", kind="zoe")])
    (hit,) = (await index.search(THINGS, Query(text="ZOE"))).hits
    assert set(hit.highlights) == {"title"}
    first, last = hit.highlights["title"]
    assert first.startswith("&lt;script&gt;alert(&#x27;<em>Zoë</em>&#x27;)&lt;/script&gt; &amp; x")
    assert last.endswith("x <em>zoe</em> again")
    assert len(last) < 200
    assert not (await index.search(THINGS, Query())).hits[0].highlights


@pytest.mark.parametrize(
    "query",
    [
        {"where": {"nonesuch": ("x",)}},
        {"where": {"title": ("x",)}},
        {"where": {"size": ("1",)}},
        {"ranges": (Range(field="kind", at_least="a"),)},
        {"ranges": (Range(field="made", at_least=5),)},
        {"ranges": (Range(field="made", at_least="2026-11-23"),)},
        {"ranges": (Range(field="size", at_most="x"),)},
        {"ranges": (Range(field="size", at_most=float("nan")),)},
        {"sort": "title"},
        {"sort": "nonesuch"},
        {"sort": "--size"},
        {"cursor": "x"},
        {"cursor": "AAAA"},
        {"cursor": "é="},
    ],
)
async def test_what_does_not_fit_is_invalid_input(index: SearchIndex, query: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await index.search(THINGS, Query(**query))


async def test_a_cursor_of_another_query_is_invalid_input(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(f"{n}", "word", kind="k") for n in range(5)])
    cursor = (await index.search(THINGS, Query(text="word", limit=2))).next
    assert await ids(index, "word", limit=3, cursor=cursor) == ["2", "3", "4"]
    for other in ({"text": ""}, {"sort": "-id"}, {"where": {"kind": ("k",)}}, {"ranges": (Range(field="size"),)}):
        with pytest.raises(InvalidInput):
            await index.search(THINGS, Query(**{"text": "word", "cursor": cursor, **other}))


@pytest.mark.parametrize(
    "document",
    [
        Indexed(id="", body={}),
        Indexed(id="x" * 129, body={}),
        Indexed(id="a\x00b", body={}),
        Indexed(id="a", body={"title": {"a": 1}}),
        Indexed(id="a", body={"size": "1"}),
        Indexed(id="a", body={"size": 10**400}),
        Indexed(id="a", body={"made": "yesterday"}),
        Indexed(id="a", body={"kind": [1.5]}),
    ],
)
async def test_a_document_that_does_not_fit_is_invalid_input(index: SearchIndex, document: Indexed) -> None:
    with pytest.raises(InvalidInput):
        await index.put(THINGS, [thing("good"), document])
    assert await ids(index) == []


async def test_big_batches_and_many_writers(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(f"{n:05}", "big", note="x" * 2000, size=n) for n in range(3000)])
    await asyncio.gather(*(index.put(THINGS, [thing(f"small{n}", "small")]) for n in range(50)))
    assert (await index.search(THINGS, Query(text="big"))).total == 3000
    assert (await index.search(THINGS, Query(text="small"))).total == 50


async def test_a_rebuilt_index_takes_the_place_of_the_old_one_at_its_end(index: SearchIndex) -> None:
    await index.put(THINGS, [thing("a", "old"), thing("b", "old")])
    generation = await index.begin_rebuild(THINGS)
    await index.put_rebuilt(THINGS, generation, [thing("c", "new")])
    assert await ids(index) == ["a", "b"]
    await index.end_rebuild(THINGS, generation, keep=True)
    assert await ids(index) == ["c"]
    await index.put(THINGS, [thing("d")])
    assert await ids(index) == ["c", "d"]


async def test_what_changes_during_a_rebuild_is_newer_than_what_is_rebuilt(index: SearchIndex) -> None:
    await index.put(THINGS, [thing(n, "old") for n in "abcd"])
    generation = await index.begin_rebuild(THINGS)
    await index.put_rebuilt(THINGS, generation, [thing(n, "read") for n in "ab"])
    await index.put(THINGS, [thing(n, "newer") for n in "ace"])
    await index.delete(THINGS, ["b", "d"])
    await index.put(THINGS, [thing("x", "first")])
    await index.delete(THINGS, ["x"])
    await index.delete(THINGS, ["y"])
    await index.put(THINGS, [thing("y", "newer")])
    assert await ids(index) == ["a", "c", "e", "y"]
    await index.put_rebuilt(THINGS, generation, [thing(n, "read") for n in "cdexyz"])
    await index.end_rebuild(THINGS, generation, keep=True)
    assert await ids(index, "newer") == ["a", "c", "e", "y"]
    assert await ids(index) == ["a", "c", "e", "y", "z"]
    assert await ids(index, "read") == ["z"]


async def test_a_rebuild_that_is_not_kept_changes_nothing(index: SearchIndex) -> None:
    await index.put(THINGS, [thing("a")])
    generation = await index.begin_rebuild(THINGS)
    await index.put_rebuilt(THINGS, generation, [thing("b")])
    await index.put(THINGS, [thing("c")])
    await index.end_rebuild(THINGS, generation, keep=False)
    assert await ids(index) == ["a", "c"]
    with pytest.raises(NotFound):
        await index.end_rebuild(THINGS, generation, keep=True)


async def test_a_second_rebuild_takes_the_place_of_an_unfinished_one(index: SearchIndex) -> None:
    first = await index.begin_rebuild(THINGS)
    await index.put_rebuilt(THINGS, first, [thing("a")])
    second = await index.begin_rebuild(THINGS)
    with pytest.raises(NotFound):
        await index.put_rebuilt(THINGS, first, [thing("b")])
    await index.put_rebuilt(THINGS, second, [thing("c")])
    await index.end_rebuild(THINGS, second, keep=True)
    assert await ids(index) == ["c"]


async def test_searches_writes_and_a_rebuild_at_once(index: SearchIndex) -> None:
    truth = {f"{n:03}": n for n in range(200)}
    await index.put(THINGS, [thing(n, "t", size=size) for n, size in truth.items()])
    stop = asyncio.Event()

    async def search() -> int:
        count = 0
        while not stop.is_set():
            page = await index.search(THINGS, Query(text="t", limit=200))
            assert page.total >= 150
            count += 1
        return count

    async def write() -> None:
        for n in range(10):
            truth[f"{n:03}"] = 1000 + n
            await index.put(THINGS, [thing(f"{n:03}", "t", size=1000 + n)])
            del truth[f"{n + 100:03}"]
            await index.delete(THINGS, [f"{n + 100:03}"])

    async def rebuild() -> None:
        for _ in range(2):
            generation = await index.begin_rebuild(THINGS)
            for first in range(0, 200, 50):
                # Read from the store, then put: what is put may be old by then.
                ours = sorted(n for n in truth if first <= int(n) < first + 50)
                part = [thing(n, "t", size=truth[n]) for n in ours]
                await asyncio.sleep(0.01)
                await index.put_rebuilt(THINGS, generation, part)
            await index.end_rebuild(THINGS, generation, keep=True)

    searching = asyncio.create_task(search())
    await asyncio.gather(write(), rebuild())
    stop.set()
    assert await searching > 3
    page = await index.search(THINGS, Query(limit=200))
    assert {hit.id: hit.body["size"] for hit in page.hits} == truth


async def test_a_write_that_comes_after_its_rebuild_was_dropped_is_in_the_index_alone(server: str) -> None:
    index = ElasticsearchIndex(server, prefix="late")
    await index.put(THINGS, [thing("a")])
    dropped = await index.begin_rebuild(THINGS)
    aliases, looked, go_on = index._aliases, asyncio.Event(), asyncio.Event()

    async def held(names: Names) -> dict[str, list[str]]:
        found = await aliases(names)
        looked.set()
        await go_on.wait()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_aliases", held)
        late = asyncio.create_task(index.put(THINGS, [thing("b")]))
        await looked.wait()
    await index.end_rebuild(THINGS, dropped, keep=False)
    go_on.set()
    await late
    assert await ids(index) == ["a", "b"]
    kept = await index.begin_rebuild(THINGS)
    assert kept != dropped
    await index.put_rebuilt(THINGS, kept, [thing("a")])
    await index.end_rebuild(THINGS, kept, keep=True)
    assert await ids(index) == ["a"]
    names = Names.of("late", THINGS)
    assert set(await index._indexes("late-*")) == {names.index(kept)}
    await index.aclose()


async def test_a_collection_of_another_shape_is_another_index(index: SearchIndex) -> None:
    await index.put(THINGS, [thing("a", kind="x")])
    other = THINGS.model_copy(update={"fields": {"colour": "keyword"}})
    assert (await index.search(other, Query())).total == 0
    await index.put(other, [Indexed(id="b", body={"colour": "red"})])
    assert (await index.search(other, Query(where={"colour": ("red",)}))).total == 1


async def test_tantivy_keeps_its_indexes(tmp_path: Path) -> None:
    first = TantivyIndex(tmp_path)
    await first.put(THINGS, [thing("a")])
    generation = await first.begin_rebuild(THINGS)
    await first.put_rebuilt(THINGS, generation, [thing("b")])
    await first.end_rebuild(THINGS, generation, keep=True)
    await first.begin_rebuild(THINGS)
    await first.aclose()
    second = TantivyIndex(tmp_path)
    assert await ids(second) == ["b"]
    await second.put(THINGS, [thing("c")])
    assert await ids(second) == ["b", "c"]
    await second.aclose()


async def test_a_damaged_index_of_tantivy_is_begun_anew(tmp_path: Path) -> None:
    first = TantivyIndex(tmp_path)
    await first.put(THINGS, [thing("a")])
    await first.aclose()
    (meta,) = tmp_path.glob("*/*/*/meta.json")  # noqa: ASYNC240 - a test's folder
    meta.write_text("{")
    second = TantivyIndex(tmp_path)
    assert await ids(second) == []
    await second.put(THINGS, [thing("b")])
    assert await ids(second) == ["b"]
    await second.aclose()


async def test_elasticsearch_that_does_not_answer_is_unavailable() -> None:
    index = ElasticsearchIndex("http://127.0.0.1:9")
    for call in (index.ping(), index.put(THINGS, [thing("a")]), index.search(THINGS, Query())):
        with pytest.raises(Unavailable):
            await call
    await index.aclose()
