"""Keys against a model: whatever is done, with whatever condition, the store and the model agree; over restarts too."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lucid.drivers.sqlite.documents import SqliteDocuments
from lucid.services.service_mesh.entries import Entry, Operation
from lucid.services.service_mesh.indexes import Indexes
from lucid.services.service_mesh.keys import Keys, Limits

T = TypeVar("T")

KEYS = ["a", "a/", "a/b", "a/b/c", "ab", "b", "ä"]
SESSIONS = ["one", "two"]
keys, values = st.sampled_from(KEYS), st.binary(max_size=3)


class Everybody:
    """Both sessions live, and no lock is delayed."""

    def is_live(self, session: str) -> bool:
        return session in SESSIONS

    def is_delayed(self, key: str) -> bool:
        return False


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Keys]:
    documents = await SqliteDocuments.open(folder / "documents.sqlite")
    store = Keys(documents, Indexes(1, max_waiters=1), Limits(value_bytes=64, total_bytes=1 << 20, keys=100))
    await store.load()
    yield store
    await documents.aclose()


class KeysMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self.model: dict[str, tuple[bytes, int, str, int]] = {}
        self.indexes: dict[str, int] = {}
        self.newest = 0
        self._open()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def _open(self) -> None:
        self.store = self._run(self._stack.enter_async_context(opened(Path(self._folder.name))))

    def teardown(self) -> None:
        self._run(self._stack.aclose())
        self._runner.close()
        self._folder.cleanup()

    def _do(self, *operations: Operation) -> bool:
        return not self._run(self.store.run(operations, Everybody())).failed

    def _write(self, key: str, value: bytes, flags: int, session: str, locks: int) -> None:
        made = (value, flags, session, locks)
        if self.model.get(key) != made:
            self.model[key] = made
            entry = self.store.entries.get(key)
            assert entry is not None
            assert entry.modify_index > self.newest  # never one that was there before
            self.newest = self.indexes[key] = entry.modify_index

    def _index(self, key: str, right: bool) -> int:
        return self.indexes.get(key, 0) if right else self.indexes.get(key, 0) + 1

    @rule(key=keys, value=values, flags=st.sampled_from([0, 7, 2**64 - 1]))
    def put(self, key: str, value: bytes, flags: int) -> None:
        assert self._do(Operation("set", key, value, flags))
        _, _, session, locks = self.model.get(key, (b"", 0, "", 0))
        self._write(key, value, flags, session, locks)

    @rule(key=keys, value=values, right=st.booleans())
    def check_and_set(self, key: str, value: bytes, right: bool) -> None:
        assert self._do(Operation("cas", key, value, index=self._index(key, right))) is right
        if right:
            _, _, session, locks = self.model.get(key, (b"", 0, "", 0))
            self._write(key, value, 0, session, locks)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        assert self._do(Operation("delete", key))
        self.model.pop(key, None)
        self.indexes.pop(key, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), right=st.booleans())
    def delete_with_check(self, data: st.DataObject, right: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.model)))
        assert self._do(Operation("delete-cas", key, index=self._index(key, right))) is right
        if right:
            del self.model[key], self.indexes[key]

    @rule(prefix=st.sampled_from(["", "a", "a/", "a/b", "x"]))
    def delete_below(self, prefix: str) -> None:
        assert self._do(Operation("delete-tree", prefix))
        for key in [key for key in self.model if key.startswith(prefix)]:
            del self.model[key], self.indexes[key]

    @rule(key=keys, value=values, session=st.sampled_from(SESSIONS))
    def lock(self, key: str, value: bytes, session: str) -> None:
        _, _, holder, locks = self.model.get(key, (b"", 0, "", 0))
        free = holder in ("", session)
        assert self._do(Operation("lock", key, value, session=session)) is free
        if free:
            self._write(key, value, 0, session, locks + (holder == ""))

    @rule(key=keys, value=values, session=st.sampled_from(SESSIONS))
    def unlock(self, key: str, value: bytes, session: str) -> None:
        _, _, holder, locks = self.model.get(key, (b"", 0, "", 0))
        held = holder == session
        assert self._do(Operation("unlock", key, value, session=session)) is held
        if held:
            self._write(key, value, 0, "", locks)

    @rule(first=keys, second=keys, value=values, right=st.booleans())
    def transaction(self, first: str, second: str, value: bytes, right: bool) -> None:
        guard = Operation("check-not-exists", "nowhere") if right else Operation("get", "nowhere")
        done = self._do(Operation("set", first, value), Operation("delete", second), guard)
        assert done is right
        if done:
            _, _, session, locks = self.model.get(first, (b"", 0, "", 0))
            self.model.pop(second, None)
            self.indexes.pop(second, None)
            if first != second:
                self._write(first, value, 0, session, locks)

    @rule()
    def restart(self) -> None:
        self._run(self._stack.aclose())
        self._open()

    @invariant()
    def they_agree(self) -> None:
        def shown(entry: Entry) -> tuple[bytes, int, str, int]:
            return (entry.value, entry.flags, entry.session, entry.lock_index)

        found = self.store.entries.below("")
        assert [entry.key for entry in found] == sorted(self.model)
        assert {entry.key: shown(entry) for entry in found} == self.model
        assert {entry.key: entry.modify_index for entry in found} == self.indexes
        assert self.store.entries.bytes == sum(len(entry.value) for entry in found)
        parts = [key.partition("/") for key in sorted(self.model) if key.startswith("a")]
        assert self.store.names("a", "/") == list(dict.fromkeys(name + slash for name, slash, _ in parts))


TestKeys = KeysMachine.TestCase
TestKeys.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
