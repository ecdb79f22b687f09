"""Documents in MongoDB (port Documents), by PyMongo's asynchronous client.

A document is `{_id, version, body}`. Writes are acknowledged by a majority, from its journals.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, timeout
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, DocumentTooLarge, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from lucid.base.errors import Conflict, InvalidInput, NotFound, StorageFull, Unavailable
from lucid.drivers.bodies import encode_body
from lucid.drivers.finding import Finding, Search
from lucid.ports.stores import Json, Stored

ANSWER_LIMIT_MS = 5_000
CLOSE_LIMIT_S = 0.5
IDLE_LIMIT_MS = 60_000
"""A connection unused for so long is closed, before the server or something between does it: the first write on one
that the other end has closed would be lost, and is not repeated."""
_OUT_OF_DISK_SPACE = 14_031
"""MongoDB's error code OutOfDiskSpace (src/mongo/base/error_codes.yml)."""


async def _close(client: AsyncMongoClient[Json]) -> None:
    """Close it, and do not wait for a server that is away to be told that its sessions have ended."""
    with timeout(CLOSE_LIMIT_S):
        await client.aclose()


class MongoDocuments(Finding):
    """Opened by `MongoDocuments.open(uri, database)`, closed by `aclose()`."""

    def __init__(self, client: AsyncMongoClient[Json], database: AsyncDatabase[Json]) -> None:
        self._client = client
        self._database = database
        self._indexed: set[tuple[str, str]] = set()

    @classmethod
    async def open(cls, uri: str, database: str) -> Self:
        """Connect and see that the server answers. Raises InvalidInput for a wrong URI, which it does not
        repeat because it may hold a password, and Unavailable."""
        try:
            client: AsyncMongoClient[Json] = AsyncMongoClient(
                uri,
                timeoutMS=ANSWER_LIMIT_MS,
                serverSelectionTimeoutMS=ANSWER_LIMIT_MS,
                maxIdleTimeMS=IDLE_LIMIT_MS,
                appname="lucid",
            )
        except (ConfigurationError, ValueError) as error:
            raise InvalidInput(f"not a MongoDB URI: {type(error).__name__}", field="mongodb_uri") from None
        found = client.get_database(
            database, write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
        )
        try:
            with _errors():
                await client.admin.command("ping")
        except Unavailable:
            await _close(client)
            raise
        return cls(client, found)

    async def aclose(self) -> None:
        """Close all connections."""
        await _close(self._client)

    async def insert(self, collection: str, id: str, body: Json) -> Stored:
        encode_body(body)
        try:
            with _errors():
                await self._database[collection].insert_one({"_id": id, "version": 1, "body": body})
        except DuplicateKeyError:
            raise Conflict(f"{collection}: {id} exists") from None
        return Stored(id, 1, body)

    async def get(self, collection: str, id: str) -> Stored:
        with _errors():
            found = await self._database[collection].find_one({"_id": id})
        if found is None:
            raise NotFound(f"{collection}: no {id}")
        return _stored(found)

    async def replace(self, collection: str, id: str, body: Json, *, version: int) -> Stored:
        encode_body(body)
        with _errors():
            result = await self._database[collection].replace_one(
                {"_id": id, "version": version}, {"version": version + 1, "body": body}
            )
        if result.matched_count == 0:
            raise Conflict(f"{collection}: {id} no longer has version {version}")
        return Stored(id, version + 1, body)

    async def delete(self, collection: str, id: str) -> bool:
        with _errors():
            result = await self._database[collection].delete_one({"_id": id})
        return result.deleted_count > 0

    async def _find(self, search: Search) -> list[Stored]:
        query: Json = {f"body.{field}": _equals(wanted) for field, wanted in search.where.items()}
        if search.after is not None:
            query["_id"] = {"$lt" if search.newest_first else "$gt": search.after}
        documents = self._database[search.collection]
        with _errors():
            if search.selective is not None:
                await self._index(documents, search.selective)
            order = DESCENDING if search.newest_first else ASCENDING
            return [_stored(found) async for found in documents.find(query).sort("_id", order).limit(search.limit)]

    async def _index(self, documents: AsyncCollection[Json], field: str) -> None:
        if (documents.name, field) not in self._indexed:
            await documents.create_index([(f"body.{field}", ASCENDING), ("_id", ASCENDING)])
            self._indexed.add((documents.name, field))


def _equals(wanted: str | int | bool | list[str]) -> Json:
    """A list means one of its values; a stored list never equals, though MongoDB would look into it."""
    options = wanted if isinstance(wanted, list) else [wanted]
    return {"$in": options, "$not": {"$type": "array"}}


def _stored(found: Mapping[str, Any]) -> Stored:
    return Stored(found["_id"], found["version"], found["body"])


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn the client's failures into the port's; DuplicateKeyError is left to the caller."""
    try:
        yield
    except DuplicateKeyError:
        raise
    except (BSONError, DocumentTooLarge, OverflowError) as error:
        raise InvalidInput(f"body: {error}", field="body") from None
    except OperationFailure as error:
        if error.code == _OUT_OF_DISK_SPACE:
            raise StorageFull("the disk of MongoDB is full") from error
        raise Unavailable(f"MongoDB refused: {error.details and error.details.get('errmsg')}") from error
    except PyMongoError as error:
        raise Unavailable(f"MongoDB does not answer: {str(error)[:300]}") from error
