"""Documents in one SQLite file (port Documents): WAL, synced at each commit, one writing thread."""

import asyncio
import json
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from lucid.base.errors import Conflict, Corrupted, NotFound, Unavailable
from lucid.drivers.bodies import encode_body, encode_json
from lucid.drivers.disk.durable import DurableTree, disk_errors, in_thread, sync_folder
from lucid.drivers.finding import Finding, Search
from lucid.drivers.sqlite.writer import Writer, translated
from lucid.ports.stores import Json, Stored

T = TypeVar("T")

READERS = 2
BUSY_LIMIT_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (collection, id)
)
"""


class SqliteDocuments(Finding):
    """Opened by `SqliteDocuments.open(path)`, closed by `aclose()`. Several processes may
    share the file; a write waits up to five seconds for those of others."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._readers = ThreadPoolExecutor(READERS, "sqlite-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._indexed: set[str] = set()
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Create or open the file and check it whole. Raises Corrupted for a damaged file, naming it and
        changing nothing, Unavailable when it cannot be opened or another process holds it."""
        return cls(path, Writer(await in_thread(_open, path), path))

    async def aclose(self) -> None:
        """Finish what was begun and close the file."""
        self._closed = True
        await in_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()
        self._writer.close()

    async def insert(self, collection: str, id: str, body: Json) -> Stored:
        text = encode_body(body)

        def apply(connection: sqlite3.Connection) -> Stored:
            try:
                connection.execute("INSERT INTO documents VALUES (?, ?, 1, ?)", (collection, id, text))
            except sqlite3.IntegrityError:
                raise Conflict(f"{collection}: {id} exists") from None
            return Stored(id, 1, json.loads(text))

        return await self._write(apply)

    async def get(self, collection: str, id: str) -> Stored:
        def read(connection: sqlite3.Connection) -> Stored | None:
            query = "SELECT id, version, body FROM documents WHERE collection = ? AND id = ?"
            row = connection.execute(query, (collection, id)).fetchone()
            return _stored(row) if row else None

        found = await self._read(read)
        if found is None:
            raise NotFound(f"{collection}: no {id}")
        return found

    async def replace(self, collection: str, id: str, body: Json, *, version: int) -> Stored:
        text = encode_body(body)

        def apply(connection: sqlite3.Connection) -> Stored:
            update = (
                "UPDATE documents SET version = version + 1, body = ? WHERE collection = ? AND id = ? AND version = ?"
            )
            if connection.execute(update, (text, collection, id, version)).rowcount == 0:
                raise Conflict(f"{collection}: {id} no longer has version {version}")
            return Stored(id, version + 1, json.loads(text))

        return await self._write(apply)

    async def delete(self, collection: str, id: str) -> bool:
        def apply(connection: sqlite3.Connection) -> bool:
            statement = "DELETE FROM documents WHERE collection = ? AND id = ?"
            return connection.execute(statement, (collection, id)).rowcount > 0

        return await self._write(apply)

    async def _find(self, search: Search) -> list[Stored]:
        if search.selective is not None:
            await self._index(search.selective)
        query, values = _query(search)
        return await self._read(lambda connection: [_stored(row) for row in connection.execute(query, values)])

    async def _index(self, field: str) -> None:
        if field in self._indexed:
            return
        statement = (
            f'CREATE INDEX IF NOT EXISTS "documents_by_{field}" ON documents (collection, {_expression(field)}, id)'
        )
        await self._write(lambda connection: connection.execute(statement))
        self._indexed.add(field)

    async def _write(self, apply: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        return await self._writer.run(apply)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"the database {self._path} is closed")

    async def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._run_read, read)

    def _run_read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = _connect(self._path)
                connection.execute("PRAGMA query_only = ON")
                self._connections.append(connection)
            return read(connection)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error


def _open(path: Path) -> sqlite3.Connection:
    with disk_errors(str(path)):
        DurableTree(path.parent).make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)
    connection = _connect(path)
    try:
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
        if problems != ["ok"]:
            raise Corrupted(f"the database {path} is damaged: {'; '.join(problems)[:300]}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # a wrapped key that is taken out must not stay in the file
        connection.execute(_SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    except Corrupted:
        connection.close()
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, timeout=BUSY_LIMIT_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise translated(error, path) from error


def _expression(field: str) -> str:
    """The field's JSON text, so that 1, "1" and true differ; indexes are used when it is the same to the letter."""
    return f"body -> '$.{field}'"


def _query(search: Search) -> tuple[str, list[str | int]]:
    parts = ["SELECT id, version, body FROM documents WHERE collection = ?"]
    values: list[str | int] = [search.collection]
    for field, wanted in search.where.items():
        options = wanted if isinstance(wanted, list) else [wanted]
        parts.append(f"AND {_expression(field)} IN ({', '.join('?' * len(options))})")
        values += [encode_json(option) for option in options]
    if search.after is not None:
        parts.append(f"AND id {'<' if search.newest_first else '>'} ?")
        values.append(search.after)
    parts.append(f"ORDER BY id {'DESC' if search.newest_first else 'ASC'} LIMIT ?")
    values.append(search.limit)
    return " ".join(parts), values


def _stored(row: tuple[str, int, str]) -> Stored:
    return Stored(row[0], row[1], json.loads(row[2]))
