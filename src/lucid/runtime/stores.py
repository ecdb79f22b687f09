"""The stores of an installation: the configured servers, or the embedded ones."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import structlog

from lucid.base.errors import Unavailable
from lucid.catalog.types import Store
from lucid.ports.search import SearchIndex
from lucid.ports.stores import Bus, Documents
from lucid.runtime.paths import DataDir
from lucid.runtime.settings import RuntimeSettings

RETRY_S = 1.0

_log = structlog.get_logger()


class StoreConnections:
    """Opens each store when a service first needs it and closes all at the end. Async context manager."""

    def __init__(self, settings: RuntimeSettings, data: DataDir, stores: Sequence[Store]) -> None:
        self._settings = settings
        self._folders = {store.provides: data.of(store.name) for store in stores}
        self._openers: dict[type, Callable[[], Awaitable[Any]]] = {
            Documents: self._documents,
            Bus: self._bus,
            SearchIndex: self._search,
        }
        self._open: dict[type, Any] = {}
        self._stack = contextlib.AsyncExitStack()

    async def get(self, port: type) -> Any:
        """The store that offers `port`. One that does not answer is waited for. Raises LookupError, Corrupted."""
        if (opener := self._openers.get(port)) is None:
            raise LookupError(f"no store provides {port.__name__}")
        while port not in self._open:
            try:
                self._open[port] = await opener()
            except Unavailable as error:
                _log.warning("waiting for a store", store=port.__name__, detail=error.detail)
                await asyncio.sleep(RETRY_S)
        return self._open[port]

    async def _documents(self) -> Documents:
        if uri := self._settings.mongodb_uri.reveal():
            from lucid.drivers.mongo.documents import MongoDocuments

            mongo = await MongoDocuments.open(uri, self._settings.mongodb_database)
            self._stack.push_async_callback(mongo.aclose)
            return mongo
        from lucid.drivers.sqlite.documents import SqliteDocuments

        folder = self._folders[Documents]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sqlite = await SqliteDocuments.open(folder / "documents.sqlite")
        self._stack.push_async_callback(sqlite.aclose)
        return sqlite

    async def _bus(self) -> Bus:
        from lucid.drivers.redis.bus import RedisBus

        url = self._settings.redis_url
        if not url.reveal():
            from lucid.drivers.redis.valkey import Valkey

            valkey = Valkey(self._folders[Bus])
            await valkey.start()
            self._stack.push_async_callback(valkey.stop)
            url = valkey.url
        bus = RedisBus(url)
        self._stack.push_async_callback(bus.aclose)
        return bus

    async def _search(self) -> SearchIndex:
        if url := self._settings.elasticsearch_url:
            from lucid.drivers.elasticsearch.index import ElasticsearchIndex

            elasticsearch = ElasticsearchIndex(
                url,
                key=self._settings.elasticsearch_api_key,
                username=self._settings.elasticsearch_username,
                password=self._settings.elasticsearch_password,
                ca_file=self._settings.elasticsearch_ca,
                prefix=self._settings.elasticsearch_prefix,
            )
            try:
                await elasticsearch.ping()
            except Unavailable:
                await elasticsearch.aclose()
                raise
            self._stack.push_async_callback(elasticsearch.aclose)
            return elasticsearch
        from lucid.drivers.tantivy.index import TantivyIndex

        tantivy = TantivyIndex(self._folders[SearchIndex])
        self._stack.push_async_callback(tantivy.aclose)
        return tantivy

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
