"""The contract of the port Documents, for each driver."""

import asyncio
import gc
import itertools
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import pytest
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from lucid.base.errors import Conflict, Corrupted, InvalidInput, NotFound, StorageFull, Unavailable
from lucid.drivers.mongo.documents import MongoDocuments
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.stores import Documents
from tests.contract.small_disk import SmallDisk


class Driver(Documents, Protocol):
    """Documents with the driver's own closing."""

    async def aclose(self) -> None: ...


@pytest.fixture(params=["sqlite", "mongo"])
async def documents(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    driver: Driver
    if request.param == "sqlite":
        driver = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    else:
        driver = await MongoDocuments.open(request.getfixturevalue("mongodb_uri"), f"test-{uuid.uuid4().hex}")
    yield driver
    await driver.aclose()


BODY = {"text": "Grüße 世界 \0 \" '", "number": -7, "big": 2**53, "real": 0.5, "yes": True, "none": None}


async def test_a_document_comes_back_as_it_was_inserted(documents: Driver) -> None:
    body = BODY | {"list": [1, "two", {"three": []}], "object": {"a.b": {"$c": ""}}}
    stored = await documents.insert("things", "a", body)
    assert (stored.id, stored.version, stored.body) == ("a", 1, body)
    assert await documents.get("things", "a") == stored


async def test_an_id_exists_once_in_a_collection(documents: Driver) -> None:
    await documents.insert("things", "a", {"n": 1})
    await documents.insert("others", "a", {"n": 2})
    with pytest.raises(Conflict):
        await documents.insert("things", "a", {"n": 3})
    assert (await documents.get("things", "a")).body == {"n": 1}


async def test_what_is_not_there_is_not_found(documents: Driver) -> None:
    await documents.insert("things", "a", {})
    for collection, key in (("things", "b"), ("others", "a")):
        with pytest.raises(NotFound):
            await documents.get(collection, key)


async def test_each_replacement_raises_the_version(documents: Driver) -> None:
    await documents.insert("things", "a", {"n": 0, "gone": True})
    for n in (1, 2, 3):
        stored = await documents.replace("things", "a", {"n": n}, version=n)
        assert (stored.version, stored.body) == (n + 1, {"n": n})
        assert await documents.get("things", "a") == stored


@pytest.mark.parametrize("version", [0, 2, 3, -1])
async def test_another_version_is_not_replaced(documents: Driver, version: int) -> None:
    await documents.insert("things", "a", {"n": 0})
    with pytest.raises(Conflict):
        await documents.replace("things", "a", {"n": 1}, version=version)
    assert (await documents.get("things", "a")).body == {"n": 0}


async def test_a_document_that_is_gone_is_not_replaced(documents: Driver) -> None:
    with pytest.raises(Conflict):
        await documents.replace("things", "a", {}, version=1)
    await documents.insert("things", "a", {})
    assert await documents.delete("things", "a")
    with pytest.raises(Conflict):
        await documents.replace("things", "a", {}, version=1)


async def test_delete_says_whether_there_was_one(documents: Driver) -> None:
    await documents.insert("things", "a", {})
    assert [await documents.delete("things", key) for key in ("a", "a", "b")] == [True, False, False]
    with pytest.raises(NotFound):
        await documents.get("things", "a")
    assert (await documents.insert("things", "a", {"again": True})).version == 1


async def fill(documents: Driver, count: int) -> list[str]:
    ids = [f"{n:04d}" for n in range(count)]
    bodies: list[dict[str, Any]] = [{"n": n, "even": n % 2 == 0, "state": "abc"[n % 3]} for n in range(count)]
    await asyncio.gather(*(documents.insert("things", key, body) for key, body in zip(ids, bodies, strict=True)))
    return ids


async def ids_of(documents: Driver, *arguments: Any, **options: Any) -> list[str]:
    return [found.id for found in await documents.find("things", *arguments, **options)]


async def test_find_goes_by_id_in_either_direction(documents: Driver) -> None:
    ids = await fill(documents, 12)
    assert await ids_of(documents) == ids
    assert await ids_of(documents, newest_first=True) == ids[::-1]
    assert await ids_of(documents, limit=3) == ids[:3]
    assert await ids_of(documents, newest_first=True, limit=3) == ids[:-4:-1]
    assert await ids_of(documents, after="0004", limit=3) == ids[5:8]
    assert await ids_of(documents, after="0004", newest_first=True) == ids[3::-1]
    assert await ids_of(documents, after="00045") == ids[5:]
    assert await ids_of(documents, limit=0) == []
    assert await documents.find("others") == []


async def test_find_returns_at_most_100_unless_told(documents: Driver) -> None:
    ids = await fill(documents, 101)
    assert await ids_of(documents) == ids[:100]
    assert await ids_of(documents, limit=200) == ids


async def test_ids_are_ordered_by_their_utf_8_bytes(documents: Driver) -> None:
    ids = ["", "A", "Z", "a", "a b", "z", "é", "世", "😀"]
    for key in reversed(ids):
        await documents.insert("things", key, {})
    assert await ids_of(documents) == ids


async def test_find_by_fields(documents: Driver) -> None:
    ids = await fill(documents, 12)
    assert await ids_of(documents, {"state": "b"}) == ids[1::3]
    assert await ids_of(documents, {"n": 5}) == ["0005"]
    assert await ids_of(documents, {"even": True}) == ids[::2]
    assert await ids_of(documents, {"even": False, "state": "a"}) == ["0003", "0009"]
    assert await ids_of(documents, {"state": ["a", "c"]}) == [key for key in ids if key not in ids[1::3]]
    assert await ids_of(documents, {"state": "a"}, newest_first=True, after="0006", limit=2) == ["0003", "0000"]
    assert await ids_of(documents, {"state": []}) == []
    assert await ids_of(documents, {"missing": "a"}) == []


async def test_values_of_another_type_are_not_equal(documents: Driver) -> None:
    for key, value in {"one": 1, "text": "1", "true": True, "list": [1], "null": None}.items():
        await documents.insert("things", key, {"v": value})
    await documents.insert("things", "without", {})
    await documents.insert("things", "quoted", {"v": "a'b\"c\\ü\n"})
    assert await ids_of(documents, {"v": 1}) == ["one"]
    assert await ids_of(documents, {"v": "1"}) == ["text"]
    assert await ids_of(documents, {"v": True}) == ["true"]
    assert await ids_of(documents, {"v": "a'b\"c\\ü\n"}) == ["quoted"]


async def test_find_sees_replaced_and_deleted_documents(documents: Driver) -> None:
    await fill(documents, 4)
    assert await ids_of(documents, {"state": "a"}) == ["0000", "0003"]
    await documents.replace("things", "0000", {"state": "b"}, version=1)
    await documents.delete("things", "0003")
    assert await ids_of(documents, {"state": "a"}) == []
    assert await ids_of(documents, {"state": "b"}) == ["0000", "0001"]


@pytest.mark.parametrize("field", ["a b", "", "a.b", "$where", 'a" OR 1=1 --', "a'"])
async def test_a_field_that_is_none_is_refused(documents: Driver, field: str) -> None:
    with pytest.raises(InvalidInput):
        await documents.find("things", {field: "x"})


@pytest.mark.parametrize("value", [float("nan"), "\ud800", b"bytes", {1, 2}, object()])
async def test_what_json_cannot_hold_is_refused(documents: Driver, value: object) -> None:
    with pytest.raises(InvalidInput):
        await documents.insert("things", "a", {"value": value})
    with pytest.raises(NotFound):
        await documents.get("things", "a")
    with pytest.raises(InvalidInput):
        await documents.insert("things", "a", cast(Any, [1]))


async def test_of_concurrent_inserts_one_wins(documents: Driver) -> None:
    outcomes = await asyncio.gather(
        *(documents.insert("things", "a", {"n": n}) for n in range(20)), return_exceptions=True
    )
    winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not winners[0])
    assert await documents.get("things", "a") == winners[0]


async def test_no_increment_is_lost_in_races(documents: Driver) -> None:
    await documents.insert("things", "a", {"n": 0})

    async def increment() -> None:
        while True:
            found = await documents.get("things", "a")
            try:
                await documents.replace("things", "a", {"n": found.body["n"] + 1}, version=found.version)
            except Conflict:
                continue
            return

    await asyncio.gather(*(increment() for _ in range(20)))
    found = await documents.get("things", "a")
    assert (found.body, found.version) == ({"n": 20}, 21)


async def test_one_refused_write_does_not_touch_its_neighbours(documents: Driver) -> None:
    await documents.insert("things", "taken", {})
    ids = ["a", "taken", "b", "taken", "c"]
    outcomes = await asyncio.gather(*(documents.insert("things", key, {}) for key in ids), return_exceptions=True)
    assert [isinstance(outcome, Conflict) for outcome in outcomes] == [False, True, False, True, False]
    assert await ids_of(documents) == ["a", "b", "c", "taken"]


async def test_a_cancelled_caller_hurts_nobody(documents: Driver) -> None:
    tasks = [asyncio.create_task(documents.insert("things", str(n), {})) for n in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert set(await ids_of(documents)) >= {"1", "3", "5", "7", "9"}


async def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    await documents.aclose()
    with pytest.raises(Unavailable):
        await documents.insert("things", "a", {})
    with pytest.raises(Unavailable):
        await documents.get("things", "a")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.drivers.mongo.documents.ANSWER_LIMIT_MS", 200)
    with pytest.raises(Unavailable):
        await MongoDocuments.open("mongodb://user:hunter2@127.0.0.1:1/", "test")
    with pytest.raises(InvalidInput) as caught:
        await MongoDocuments.open("mongodb://user:hunter2@host:port:1/", "test")
    assert "hunter2" not in caught.value.detail
    gc.collect()  # PyMongo may leave the socket of an attempt that its closing interrupted


class Commands(CommandListener):
    """Remembers the commands that were sent, by name."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[str, Any]] = {}

    def started(self, event: CommandStartedEvent) -> None:
        self.sent[event.command_name] = dict(event.command)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def test_writes_wait_for_the_journals_of_a_majority(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands()
    monkeypatch.setattr(
        "lucid.drivers.mongo.documents.AsyncMongoClient", partial(AsyncMongoClient, event_listeners=[commands])
    )
    documents = await MongoDocuments.open(mongodb_uri, f"test-{uuid.uuid4().hex}")
    await documents.insert("things", "a", {})
    await documents.replace("things", "a", {}, version=1)
    await documents.delete("things", "a")
    await documents.aclose()
    for name in ("insert", "update", "delete"):
        concern = commands.sent[name]["writeConcern"]
        assert (concern["w"], concern["j"]) == ("majority", True)


WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from lucid.drivers.sqlite.documents import SqliteDocuments

async def main():
    documents = await SqliteDocuments.open(Path(sys.argv[1]))
    async def write(name):
        for n in itertools.count():
            await documents.insert("things", f"{name}-{n}", {"n": n})
            print(f"{name}-{n}", flush=True)
    await asyncio.gather(*(write(name) for name in "abcd"))

asyncio.run(main())
"""


def killed_writer(path: Path, acknowledged: int) -> list[str]:
    """What a process had said to be written when it was killed, at least `acknowledged` ids."""
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = list(itertools.islice(writer.stdout, acknowledged))
        writer.kill()
        return lines + [line for line in writer.stdout if line.endswith("\n")]


@pytest.mark.parametrize("acknowledged", [1, 50, 500])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "documents.sqlite"
    lines = killed_writer(path, acknowledged)
    documents = await SqliteDocuments.open(path)
    found = {stored.id for stored in await documents.find("things", limit=1_000_000)}
    await documents.aclose()
    assert {line.strip() for line in lines} <= found
    assert len(lines) >= acknowledged


async def test_a_full_disk_is_said_and_nothing_is_lost(small_disk: SmallDisk) -> None:
    documents = await SqliteDocuments.open(small_disk.path / "documents.sqlite")
    await documents.insert("things", "before", {"text": "x" * 1000})
    small_disk.fill()
    with pytest.raises(StorageFull, match=r"documents\.sqlite"):
        await documents.insert("things", "big", {"text": "x" * 1_000_000})
    with pytest.raises(NotFound):
        await documents.get("things", "big")
    assert (await documents.get("things", "before")).body == {"text": "x" * 1000}
    small_disk.free()
    await documents.insert("things", "after", {})
    await documents.aclose()


async def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "documents.sqlite"
    documents = await SqliteDocuments.open(path)
    await documents.insert("things", "a", {})
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await documents.aclose()


async def damaged_copy(path: Path, *, at: float) -> bytes:
    """A database of many pages with one kibibyte overwritten; the bytes as they are then."""
    documents = await SqliteDocuments.open(path)
    await asyncio.gather(*(documents.insert("things", f"{n:05d}", {"text": "x" * 500}) for n in range(2000)))
    await documents.aclose()
    return damage(path, at)


def damage(path: Path, at: float) -> bytes:
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + 1024] = b"\xff" * 1024
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
async def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, at: float) -> None:
    path = tmp_path / "documents.sqlite"
    content = await damaged_copy(path, at=at)
    with pytest.raises(Corrupted, match=r"documents\.sqlite is damaged"):
        await SqliteDocuments.open(path)
    assert path.read_bytes() == content


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "documents.sqlite").mkdir()
    with pytest.raises(Unavailable, match=r"documents\.sqlite"):
        await SqliteDocuments.open(tmp_path / "documents.sqlite")


async def test_a_file_locked_by_another_process_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.drivers.sqlite.documents.BUSY_LIMIT_S", 0.1)
    path = tmp_path / "documents.sqlite"
    documents = await SqliteDocuments.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await documents.insert("things", "a", {})
    other.execute("ROLLBACK")
    other.close()
    await documents.insert("things", "a", {})
    await documents.aclose()


async def test_a_search_uses_an_index(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    documents = await SqliteDocuments.open(path)
    await fill(documents, 10)
    await documents.find("things", {"state": "a"})
    await documents.aclose()
    with sqlite3.connect(path) as connection:
        query = (
            "EXPLAIN QUERY PLAN SELECT id FROM documents WHERE collection = ? AND body -> '$.state' IN (?) ORDER BY id"
        )
        plan = " ".join(row[3] for row in connection.execute(query, ("things", '"a"')))
    connection.close()
    assert "documents_by_state" in plan
