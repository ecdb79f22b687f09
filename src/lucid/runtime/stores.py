"""The stores of an installation: the configured servers, or the embedded ones."""

import contextlib
from collections.abc import Sequence
from typing import Any, Self

from lucid.catalog.types import Store
from lucid.ports.stores import Bus, Documents
from lucid.runtime.paths import DataDir
from lucid.runtime.settings import RuntimeSettings


class StoreConnections:
    """Opens each store when a service first needs it and closes all at the end. Async context manager."""

    def __init__(self, settings: RuntimeSettings, data: DataDir, stores: Sequence[Store]) -> None:
        self._settings = settings
        self._folders = {store.provides: data.of(store.name) for store in stores}
        self._open: dict[type, Any] = {}
        self._stack = contextlib.AsyncExitStack()

    async def get(self, port: type) -> Any:
        """The store that offers `port`. Raises LookupError, Unavailable, Corrupted."""
        if port not in self._open:
            if port is Documents:
                self._open[port] = await self._documents()
            elif port is Bus:
                self._open[port] = await self._bus()
            else:
                raise LookupError(f"no store provides {port.__name__}")
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
