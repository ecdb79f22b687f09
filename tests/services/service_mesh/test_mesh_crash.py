"""What is left when the store fails in the middle: a transaction happens whole or not at all, locks are freed later."""

from pathlib import Path
from typing import Any

import pytest

from lucid.base.errors import Unavailable
from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.ports.stores import Documents, Json, Stored
from lucid.services.service_mesh.entries import Operation
from lucid.services.service_mesh.errors import Refusal
from lucid.services.service_mesh.indexes import Indexes
from lucid.services.service_mesh.keys import Keys, Limits
from lucid.services.service_mesh.sessions import Session, Sessions
from tests.clocks import TurnedClock


class Failing:
    """Documents that fail at the write number `fail_at`, before it or (`late`) when it has happened."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.fail_at = 0
        self.late = False
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    async def _write(self, name: str, *args: Any, **given: Any) -> Any:
        self.writes += 1
        failing = self.writes == self.fail_at
        if failing and not self.late:
            raise Unavailable("the store is away")
        done = await getattr(self._documents, name)(*args, **given)
        if failing:
            raise Unavailable("the store did not answer in time")
        return done

    async def insert(self, collection: str, id: str, body: Json) -> Stored:
        stored: Stored = await self._write("insert", collection, id, body)
        return stored

    async def replace(self, collection: str, id: str, body: Json, *, version: int) -> Stored:
        stored: Stored = await self._write("replace", collection, id, body, version=version)
        return stored

    async def delete(self, collection: str, id: str) -> bool:
        gone: bool = await self._write("delete", collection, id)
        return gone


class Kit:
    """Keys and sessions on a store that can be made to fail; `reopened` are those of the next run."""

    def __init__(self, documents: SqliteDocuments) -> None:
        self.failing = Failing(documents)
        self.clock = TurnedClock()

    async def open(self) -> tuple[Keys, Sessions]:
        indexes = Indexes(1, max_waiters=1)
        keys = Keys(self.failing, indexes, Limits(64, 1 << 20, 100))
        sessions = Sessions(self.failing, indexes, self.clock, keys, limit=10)
        await keys.load()
        await sessions.load()
        return keys, sessions

    def fail(self, at: int, *, late: bool) -> None:
        self.failing.writes, self.failing.fail_at, self.failing.late = 0, at, late


@pytest.fixture
async def kit(tmp_path: Path) -> Any:
    documents = await SqliteDocuments.open(tmp_path / "documents.sqlite")
    yield Kit(documents)
    await documents.aclose()


def shown(keys: Keys) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in keys.entries}


BEFORE = {"a": b"1", "b": b"1", "c": b"1"}
AFTER = {"a": b"2", "c": b"2", "d": b"2"}
CHANGE = [
    Operation("set", "a", b"2"),
    Operation("delete", "b"),
    Operation("set", "c", b"2"),
    Operation("set", "d", b"2"),
]


@pytest.mark.parametrize("restart", [False, True], ids=["goes-on", "restarts"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 8))
async def test_a_transaction_is_whole_wherever_the_store_fails(kit: Kit, at: int, late: bool, restart: bool) -> None:
    keys, sessions = await kit.open()
    for key, value in BEFORE.items():
        await keys.run([Operation("set", key, value)], sessions)
    kit.fail(at, late=late)
    try:
        await keys.run(CHANGE, sessions)
        answered = True
    except Unavailable:
        answered = False
    assert shown(keys) in (BEFORE, AFTER)
    if restart:
        keys, sessions = await kit.open()
    else:
        await keys.run([Operation("set", "other", b"x"), Operation("delete", "other")], sessions)
    assert shown(keys) in ([AFTER] if answered else [BEFORE, AFTER])
    await keys.run([Operation("set", "a", b"3")], sessions)  # what comes later is not undone by what was begun
    for _ in range(2):
        keys, sessions = await kit.open()
        assert shown(keys)["a"] == b"3"
        assert shown(keys) in (BEFORE | {"a": b"3"}, AFTER | {"a": b"3"})


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_a_key_can_be_written_after_a_write_of_unknown_outcome(kit: Kit, late: bool) -> None:
    keys, sessions = await kit.open()
    for value in (b"1", b"2"):
        kit.fail(1, late=late)
        with pytest.raises(Unavailable):
            await keys.run([Operation("set", "a", value)], sessions)
        assert shown(keys).get("a") != value  # what is not known to be durable is not shown
        assert not (await keys.run([Operation("set", "a", value)], sessions)).failed
        assert shown(keys) == {"a": value}
    keys, sessions = await kit.open()
    assert shown(keys) == {"a": b"2"}


@pytest.mark.parametrize("restart", [False, True], ids=["goes-on", "restarts"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_session_that_could_not_end_ends_later(kit: Kit, at: int, restart: bool) -> None:
    keys, sessions = await kit.open()
    session = await sessions.create(Session(id="", ttl_s=10.0))
    for key in "ab":
        await keys.run([Operation("lock", key, b"x", session=session.id)], sessions)
    kit.clock.advance(11.0)
    kit.fail(at, late=False)
    with pytest.raises(Unavailable):
        await sessions.expire(frozenset())
    if restart:
        keys, sessions = await kit.open()
        kit.clock.advance(11.0)
    await sessions.expire(frozenset())
    assert sessions.list() == []
    assert [entry.session for entry in keys.entries] == ["", ""]
    keys, sessions = await kit.open()
    assert sessions.list() == []
    assert [entry.session for entry in keys.entries] == ["", ""]


async def test_limits_of_the_store(kit: Kit) -> None:
    indexes = Indexes(1, max_waiters=1)
    keys = Keys(kit.failing, indexes, Limits(value_bytes=8, total_bytes=10, keys=2))
    sessions = Sessions(kit.failing, indexes, kit.clock, keys, limit=1)
    await keys.run([Operation("set", "a", b"12345678")], sessions)
    for refused in (Operation("set", "b", b"123"), Operation("set", "b", b"123456789")):
        with pytest.raises(Refusal, match="bytes"):
            await keys.run([refused], sessions)
    await keys.run([Operation("set", "b", b"1")], sessions)
    with pytest.raises(Refusal, match="2 keys"):
        await keys.run([Operation("set", "c")], sessions)
    await keys.run([Operation("delete", "a"), Operation("set", "c", b"123")], sessions)
    assert shown(keys) == {"b": b"1", "c": b"123"}
    await sessions.create(Session(id=""))
    with pytest.raises(Refusal, match="1 sessions"):
        await sessions.create(Session(id=""))
