"""The port SearchIndex on Elasticsearch.

Each generation of an index is an index of its own. Searches and writes go through an alias of the current one, with
`require_alias`: a write cannot bring a deleted index back to life. While another generation is being built, writes go
to that too, by its own name: one that comes late, when that has become the current one, is what the current one gets
anyway. One that comes when that was dropped makes an index that no alias names: nobody searches it, and it is deleted
with what the next rebuild replaces.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, AsyncElasticsearch, BadRequestError, NotFoundError
from elasticsearch.helpers import async_streaming_bulk

from lucid.base.errors import NotFound, Unavailable
from lucid.base.secret import Secret
from lucid.drivers.elasticsearch.names import GONE, Json, Names, mapping_of, query_of, source_of
from lucid.drivers.indexing import Plan, Row, flatten, page, plan
from lucid.ports.search import Collection, Indexed, Page, Query

REQUEST_S = 10.0
CHUNK_BYTES = 1_000_000
"""A request that is sent in one piece; a longer one would hold the event loop up."""
OLD_STAYS_S = 1.0
"""How long an index stays after another took its place: searches that had begun in it end there."""
_HTTP_NOT_FOUND, _HTTP_CONFLICT = 404, 409


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (TransportError, ApiError) as error:
        raise Unavailable(f"Elasticsearch: {type(error).__name__}: {str(error.message)[:200]}") from error


class ElasticsearchIndex:
    """Indexes whose names begin with `prefix`. `key` is an API key, as Kibana shows it; without, `username` logs in
    with `password`, if it is given. `ca_file` holds the certificate authority of an https address; empty: the
    system's."""

    def __init__(
        self,
        url: str,
        *,
        key: Secret | None = None,
        username: str = "",
        password: Secret | None = None,
        ca_file: str = "",
        prefix: str = "lucid",
    ) -> None:
        options: dict[str, Any] = {"ca_certs": ca_file} if ca_file else {}
        if key is not None and key.reveal():
            options["api_key"] = key.reveal()
        elif username and password is not None:
            options["basic_auth"] = (username, password.reveal())
        self._client = AsyncElasticsearch(url, request_timeout=REQUEST_S, max_retries=2, **options)
        self._prefix = prefix

    async def aclose(self) -> None:
        await self._client.close()

    async def ping(self) -> None:
        """Raises Unavailable when it does not answer."""
        async with _translated():
            await self._client.info()

    async def put(self, collection: Collection, documents: list[Indexed]) -> None:
        flats = await asyncio.to_thread(lambda: [flatten(collection, document) for document in documents])
        names = Names.of(self._prefix, collection)
        async with _translated():
            aliases = await self._aliases(names)
            if names.current not in aliases:
                await self._create_first(names, collection)
            actions = [_action("index", flat.id, source_of(flat)) for flat in flats]
            for index in aliases.get(names.new, ()):
                await self._bulk(index, actions, is_alias=False)
            await self._bulk(names.current, actions)

    async def delete(self, collection: Collection, ids: list[str]) -> None:
        names = Names.of(self._prefix, collection)
        async with _translated():
            for index in (await self._aliases(names)).get(names.new, ()):
                await self._bulk(index, [_action("index", gone, {GONE: True}) for gone in ids], is_alias=False)
            await self._bulk(names.current, [_action("delete", gone) for gone in ids], _HTTP_NOT_FOUND)

    async def search(self, collection: Collection, query: Query) -> Page:
        planned, names = plan(collection, query), Names.of(self._prefix, collection)
        async with _translated():
            while (found := await self._found(names, planned, query.limit + 1)) is None:
                if names.current not in await self._aliases(names):
                    return Page(hits=(), total=0)
        hits = found["hits"]["hits"]
        rows = [Row(hit["_id"], hit["_source"]["body"], hit["sort"][0]) for hit in hits]
        total: int = found["hits"]["total"]["value"]
        return await asyncio.to_thread(page, collection, query, planned, rows, total)

    async def _found(self, names: Names, planned: Plan, limit: int) -> Json | None:
        """None when there is no index: none yet, or not any more, since another one took its place meanwhile."""
        try:
            answer = await self._client.search(
                index=names.current,
                query=query_of(planned),
                sort=[{f"s.{planned.sort}": "desc" if planned.falling else "asc"}],
                search_after=[planned.after] if planned.after else None,
                size=limit,
                source_includes=["body"],
                track_total_hits=True,
                allow_partial_search_results=False,
            )
        except NotFoundError:
            return None
        return dict(answer.body)

    async def begin_rebuild(self, collection: Collection) -> str:
        names = Names.of(self._prefix, collection)
        async with _translated():
            indexes = await self._indexes(f"{names.current}-*")
            for index, aliases in indexes.items():
                if names.new in aliases:
                    await self._client.indices.delete(index=index)
            generation = str(1 + max((names.generation(index) for index in indexes), default=0))
            await self._client.indices.create(
                index=names.index(generation), mappings=mapping_of(collection), aliases={names.new: {}}
            )
        return generation

    async def put_rebuilt(self, collection: Collection, generation: str, documents: list[Indexed]) -> None:
        flats = await asyncio.to_thread(lambda: [flatten(collection, document) for document in documents])
        names = Names.of(self._prefix, collection)
        async with _translated():
            await self._check_rebuilding(names, generation)
            # Made only where there is none: what was put or deleted meanwhile is newer.
            made = [_action("create", flat.id, source_of(flat)) for flat in flats]
            await self._bulk(names.index(generation), made, _HTTP_CONFLICT, is_alias=False, is_seen=False)

    async def end_rebuild(self, collection: Collection, generation: str, *, keep: bool) -> None:
        names = Names.of(self._prefix, collection)
        async with _translated():
            await self._check_rebuilding(names, generation)
            new = names.index(generation)
            if not keep:
                await self._client.indices.delete(index=new)
                return
            await self._client.indices.refresh(index=new)
            await self._client.delete_by_query(
                index=new, query={"term": {GONE: True}}, conflicts="proceed", refresh=True
            )
            family = await self._indexes(f"{names.family}-*")
            old = {index: had for index, had in family.items() if index != new and names.is_of_family(index)}
            actions: list[Json] = [
                {"remove": {"index": new, "alias": names.new}},
                {"add": {"index": new, "alias": names.current}},
                *({"remove": {"index": index, "alias": names.current}} for index in old if names.current in old[index]),
            ]
            await self._client.indices.update_aliases(actions=actions)
            if old:
                await asyncio.sleep(OLD_STAYS_S)
                await self._client.indices.delete(index=",".join(old), ignore_unavailable=True)

    async def _bulk(
        self, target: str, actions: list[Json], passed_over: int = 0, *, is_alias: bool = True, is_seen: bool = True
    ) -> None:
        """Write to an index or through an alias, and wait until it `is_seen` by searches. Raises Unavailable for the
        first action that failed, but for the status `passed_over`."""
        results = async_streaming_bulk(
            self._client,
            ({**action, "_index": target} for action in actions),
            max_chunk_bytes=CHUNK_BYTES,
            raise_on_error=False,
            refresh="wait_for" if is_seen else False,
            require_alias=is_alias,
        )
        async for done, item in results:
            (result,) = item.values()
            if not done and result["status"] != passed_over:
                raise Unavailable(f"Elasticsearch: {target} refused a document with status {result['status']}")

    async def _aliases(self, names: Names) -> dict[str, list[str]]:
        """What each alias names."""
        found: dict[str, list[str]] = {}
        for index, aliases in (await self._indexes(f"{names.current}-*")).items():
            for alias in aliases:
                found.setdefault(alias, []).append(index)
        return found

    async def _indexes(self, pattern: str) -> dict[str, set[str]]:
        """The indexes of these names with their aliases."""
        found = await self._client.indices.get_alias(index=pattern)
        return {index: set(about["aliases"]) for index, about in found.body.items()}

    async def _check_rebuilding(self, names: Names, generation: str) -> None:
        if names.new not in (await self._indexes(f"{names.current}-*")).get(names.index(generation), set()):
            raise NotFound(f"generation {generation} of {names.family} is not being rebuilt")

    async def _create_first(self, names: Names, collection: Collection) -> None:
        try:
            await self._client.indices.create(
                index=names.index("1"), mappings=mapping_of(collection), aliases={names.current: {}}
            )
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise


def _action(kind: str, id: str, source: Json | None = None) -> Json:
    action: Json = {"_op_type": kind, "_id": id}
    return action if source is None else {**action, "_source": source}
