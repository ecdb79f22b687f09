"""blockchain-engine: order, durability, recovery, limits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from lucid.base.clock import SystemClock
from lucid.base.errors import Conflict, Corrupted, InvalidInput, StorageFull, Unavailable
from lucid.base.secret import Secret
from lucid.chain.wal import encode_batch
from lucid.crypto.merkle import root
from lucid.crypto.note import SignerKey, open_note
from lucid.model.tlog import Block, Checkpoint
from lucid.ports.log import LogStore, TreeState
from lucid.ports.service import Ports
from lucid.ports.stores import Folder
from lucid.services.block_manager.service import BlockManager
from lucid.services.blockchain_engine.app import create
from lucid.services.blockchain_engine.service import BlockchainEngine
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings
from tests.chain.memory_folder import (
    ORIGIN,
    SIGNER,
    SKEY,
    TIME,
    VERIFIER,
    MemoryAppendFile,
    MemoryFolder,
    entry,
    grow,
    manager_of,
)


class FailingStore:
    """A block manager that refuses commits as long as `refuse` is set, and can lose the answer of one."""

    def __init__(self, manager: BlockManager) -> None:
        self._manager = manager
        self.refuse: Exception | None = None
        self.lose_answer = False
        self.refused = asyncio.Event()

    async def commit(self, *, slot: bytes) -> TreeState:
        if self.refuse:
            self.refused.set()
            raise self.refuse
        state = await self._manager.commit(slot=slot)
        if self.lose_answer:
            self.lose_answer = False
            raise Unavailable("the connection broke")
        return state

    def __getattr__(self, name: str) -> object:
        return getattr(self._manager, name)


class TurnedClock(SystemClock):
    """A clock whose hands a test can turn."""

    time = TIME

    def now(self) -> str:
        return self.time


def engine_of(
    store: object, folder: MemoryFolder, clock: SystemClock | None = None, **settings: float
) -> BlockchainEngine:
    return BlockchainEngine(
        BlockchainEngineSettings.load(log_key=SKEY, **({"slot_ms": 1} | settings)),
        store=store,  # type: ignore[arg-type]
        folder=folder,
        signer=SIGNER,
        clock=clock or SystemClock(),
    )


@contextlib.asynccontextmanager
async def running(engine: BlockchainEngine) -> AsyncIterator[BlockchainEngine]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def nothing_pending(engine: BlockchainEngine) -> None:
    while (await engine.status()).pending:  # noqa: ASYNC110 - the engine tells nobody when it has tidied up
        await asyncio.sleep(0.001)


@pytest.fixture
def folder() -> MemoryFolder:
    return MemoryFolder()


@pytest.fixture
def log() -> MemoryFolder:
    return MemoryFolder()


async def test_entries_get_indexes_in_order_and_are_published(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    async with running(engine_of(manager, folder)) as engine:
        indexes = await asyncio.gather(*(engine.append(entry=entry(n)) for n in range(600)))
        assert indexes == list(range(600))
        checkpoint = Checkpoint.from_text(open_note(await engine.included(index=599, wait_s=5), VERIFIER))
        assert (checkpoint.size, checkpoint.root) == (600, root(entry(n) for n in range(600)))
        status = await engine.status()
        assert (status.origin, status.key, status.size) == (ORIGIN, VERIFIER.format(), 600)
    assert [await manager.entry(index=n) for n in (0, 255, 599)] == [entry(0), entry(255), entry(599)]
    assert (await manager.fsck()).problems == ()


async def test_the_write_ahead_log_is_emptied_by_publishing(log: MemoryFolder, folder: MemoryFolder) -> None:
    async with running(engine_of(await manager_of(log), folder)) as engine:
        for number in range(5):
            await engine.included(index=await engine.append(entry=entry(number)), wait_s=5)
        await nothing_pending(engine)
    assert await folder.list("wal") == []
    assert folder.files["published"].decode() == log.files["checkpoint"].decode()


async def test_the_same_bytes_get_the_same_index(log: MemoryFolder, folder: MemoryFolder) -> None:
    store = FailingStore(await manager_of(log))
    async with running(engine_of(store, folder)) as engine:
        both = await asyncio.gather(*(engine.append(entry=entry(1)) for _ in range(3)))
        assert both == [0, 0, 0]
        await engine.included(index=0, wait_s=5)
        store.refuse = Unavailable("away")
        assert await engine.append(entry=entry(2)) == 1
        assert await engine.append(entry=entry(1)) == 0
    async with running(engine_of(store, folder)) as again:  # one is published, one in the write-ahead log
        assert await again.append(entry=entry(1)) == 0
        assert await again.append(entry=entry(2)) == 1
        assert await again.append(entry=entry(3)) == 2


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"x" * 65_536, entry(1) + b"\n", entry(1).replace(b"test.entry", b"Test"), b'{"a":' * 10_000],
)
async def test_what_is_no_entry_is_refused(log: MemoryFolder, folder: MemoryFolder, data: bytes) -> None:
    async with running(engine_of(await manager_of(log), folder)) as engine:
        with pytest.raises(InvalidInput):
            await engine.append(entry=data)


async def test_acknowledged_entries_survive_a_store_that_is_away(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    store = FailingStore(manager)
    store.refuse = Unavailable("away")
    async with running(engine_of(store, folder)) as engine:
        assert [await engine.append(entry=entry(n)) for n in range(10)] == list(range(10))
        with pytest.raises(Unavailable):
            await engine.included(index=0, wait_s=0.01)
        await engine.check()
    store.refuse = None
    async with running(engine_of(store, folder)) as again:
        await again.included(index=9, wait_s=5)
    assert [await manager.entry(index=n) for n in range(10)] == [entry(n) for n in range(10)]


async def test_publishing_goes_on_when_the_store_is_back(log: MemoryFolder, folder: MemoryFolder) -> None:
    store = FailingStore(await manager_of(log))
    for number, refusal in enumerate((Unavailable("away"), StorageFull("full"))):
        async with running(engine_of(store, folder)) as engine:
            store.refuse = refusal
            store.refused.clear()
            index = await engine.append(entry=entry(number))
            await store.refused.wait()
            store.refuse = None
            await engine.included(index=index, wait_s=5)


async def test_a_lost_answer_publishes_nothing_twice(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    store = FailingStore(manager)
    store.lose_answer = True
    async with running(engine_of(store, folder)) as engine:
        await engine.included(index=await engine.append(entry=entry(0)), wait_s=5)
        await engine.included(index=await engine.append(entry=entry(1)), wait_s=5)
    assert (await manager.state()).size == 2


async def test_entries_published_before_a_crash_are_skipped(log: MemoryFolder, folder: MemoryFolder) -> None:
    """The slot was committed, the write-ahead log not yet shortened."""
    manager = await manager_of(log)
    await grow(manager, 3)
    folder.files["wal/0000000000000000"] = encode_batch(1, [entry(n) for n in (1, 2, 3)])
    async with running(engine_of(manager, folder)) as engine:
        await engine.included(index=3, wait_s=5)
        assert await engine.append(entry=entry(4)) == 4
    assert await manager.entry(index=3) == entry(3)


async def test_a_torn_end_of_the_write_ahead_log_is_dropped(log: MemoryFolder, folder: MemoryFolder) -> None:
    torn = encode_batch(1, [entry(1)])[:-5]
    folder.files["wal/0000000000000000"] = encode_batch(0, [entry(0)]) + torn
    async with running(engine_of(await manager_of(log), folder)) as engine:
        assert await engine.append(entry=entry(9)) == 1


async def test_a_damaged_write_ahead_log_is_reported(log: MemoryFolder, folder: MemoryFolder) -> None:
    damaged = bytearray(encode_batch(0, [entry(0)]) + encode_batch(1, [entry(1)]))
    damaged[60] ^= 1
    folder.files["wal/0000000000000000"] = bytes(damaged)
    with pytest.raises(Corrupted, match="acknowledged entries are lost"):
        await engine_of(await manager_of(log), folder).start()


async def test_a_full_disk_refuses_entries_and_gives_no_index_away(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    async with running(engine_of(manager, folder)) as engine:
        assert await engine.append(entry=entry(0)) == 0
        await engine.included(index=0, wait_s=5)
        folder.refuse = StorageFull("no space")
        with pytest.raises(StorageFull):
            await engine.append(entry=entry(1))
        folder.refuse = None
        assert await engine.append(entry=entry(2)) == 1
        assert await engine.append(entry=entry(1)) == 2
        await engine.included(index=2, wait_s=5)
    assert await manager.entry(index=1) == entry(2)


async def test_too_many_waiting_entries_are_refused_and_taken_later(log: MemoryFolder, folder: MemoryFolder) -> None:
    store = FailingStore(await manager_of(log))
    store.refuse = Unavailable("away")
    async with running(engine_of(store, folder, max_pending=5)) as engine:
        for number in range(5):
            await engine.append(entry=entry(number))
        with pytest.raises(Unavailable) as refusal:
            await engine.append(entry=entry(5))
        assert refusal.value.retry_after_s == 1
        assert await engine.append(entry=entry(4)) == 4
        store.refuse = None
        await engine.included(index=4, wait_s=5)
        await nothing_pending(engine)
        assert await engine.append(entry=entry(5)) == 5


async def test_a_slot_takes_no_more_than_its_limit(log: MemoryFolder, folder: MemoryFolder) -> None:
    folder.files["wal/0000000000000000"] = encode_batch(0, [entry(n) for n in range(10)])
    manager = await manager_of(log)
    async with running(engine_of(manager, folder, slot_entries=4)) as engine:
        await engine.included(index=9, wait_s=5)
    sizes = [Block.from_text(open_note(await manager.block(height=h), VERIFIER)).size for h in range(3)]
    assert sizes == [4, 8, 10]


async def test_block_times_do_not_step_back(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    clock = TurnedClock()
    for number, now in enumerate(("2026-11-23T10:00:00.000000Z", "2026-11-22T23:00:00.000000Z")):
        clock.time = now
        async with running(engine_of(manager, folder, clock)) as engine:
            await engine.included(index=await engine.append(entry=entry(number)), wait_s=5)
    times = [Block.from_text(open_note(await manager.block(height=h), VERIFIER)).time for h in (0, 1)]
    assert times == ["2026-11-23T10:00:00.000000Z"] * 2


async def test_a_block_is_at_most_five_minutes_older_than_its_entries(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    clock = TurnedClock()
    clock.time = "2026-11-22T10:00:00.000000Z"
    async with running(engine_of(manager, folder, clock)) as engine:
        await engine.included(index=await engine.append(entry=entry(0)), wait_s=5)
    block = Block.from_text(open_note(await manager.block(height=0), VERIFIER))
    assert block.time == "2026-11-22T21:37:00.000000Z"


async def test_an_entry_from_the_far_future_is_refused(log: MemoryFolder, folder: MemoryFolder) -> None:
    """It would date every later block. What counts is the later of the clock and the newest block's time."""
    clock = TurnedClock()
    clock.time = "2026-11-22T20:42:00.000000Z"  # an hour before TIME
    async with running(engine_of(await manager_of(log), folder, clock, ahead_s=3599)) as engine:
        with pytest.raises(InvalidInput, match="3600 s later") as refused:
            await engine.append(entry=entry(0))
        assert refused.value.field == "time"
        clock.time = "2026-11-22T20:42:01.000000Z"
        await engine.included(index=await engine.append(entry=entry(0)), wait_s=5)
        clock.time = "2020-01-01T00:00:00.000000Z"
        assert await engine.append(entry=entry(1)) == 1


async def test_a_damaged_memory_of_what_was_published_is_named(folder: MemoryFolder, log: MemoryFolder) -> None:
    folder.files["published"] = b""
    with pytest.raises(Corrupted, match=r"^blockchain-engine's file published: "):
        async with running(engine_of(await manager_of(log), folder)):
            pass


async def test_a_rolled_back_log_is_refused(folder: MemoryFolder, log: MemoryFolder) -> None:
    manager = await manager_of(log)
    async with running(engine_of(manager, folder)) as engine:
        await engine.included(index=await engine.append(entry=entry(0)), wait_s=5)
        old = dict(log.files)
        await engine.included(index=await engine.append(entry=entry(1)), wait_s=5)
    rolled_back = await manager_of(MemoryFolder(old))
    with pytest.raises(Corrupted, match="1 entries, but 2 were published: it was rolled back"):
        await engine_of(rolled_back, folder).start()
    with pytest.raises(Corrupted, match="0 entries, but 2"):
        await engine_of(await manager_of(MemoryFolder()), folder).start()


async def test_a_log_with_another_past_is_refused(folder: MemoryFolder, log: MemoryFolder) -> None:
    async with running(engine_of(await manager_of(log), folder)) as engine:
        await engine.included(index=await engine.append(entry=entry(5)), wait_s=5)
    for size in (1, 4):
        forked = await manager_of(MemoryFolder())
        await grow(forked, size)  # begins with entry(0)
        with pytest.raises(Corrupted, match="does not begin with"):
            await engine_of(forked, folder).start()


async def test_a_log_signed_by_another_key_is_refused(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    await grow(manager, 2)
    engine = BlockchainEngine(
        BlockchainEngineSettings(log_key=SKEY),
        store=manager,
        folder=folder,
        signer=SignerKey.generate(ORIGIN),
        clock=SystemClock(),
    )
    with pytest.raises(Corrupted, match="no signature"):
        await engine.start()


async def test_a_second_engine_halts_instead_of_forking(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    async with running(engine_of(manager, folder)) as engine:
        await grow(manager, 3)  # somebody else with the key wrote to the log
        with pytest.raises(Unavailable):
            await engine.included(index=await engine.append(entry=entry(9)), wait_s=0.5)
        with pytest.raises((Unavailable, Conflict)):
            await engine.check()
        with pytest.raises(Unavailable, match="halted"):
            await engine.append(entry=entry(10))


async def test_waiting_calls_fail_when_the_engine_stops(log: MemoryFolder, folder: MemoryFolder) -> None:
    engine = engine_of(await manager_of(log), folder)
    with pytest.raises(Unavailable):
        await engine.append(entry=entry(0))
    await engine.start()
    call = asyncio.ensure_future(engine.append(entry=entry(0)))
    await asyncio.sleep(0)
    await engine.stop()
    with contextlib.suppress(Unavailable):
        assert await asyncio.wait_for(call, 5) == 0
    with pytest.raises(Unavailable):
        await engine.append(entry=entry(1))


class BrokenFolder(MemoryFolder):
    """Its append files fail with what no port may raise."""

    async def open_append(self, path: str) -> MemoryAppendFile:
        raise RuntimeError("a defect")


async def test_a_writer_that_dies_of_a_defect_leaves_nobody_waiting(log: MemoryFolder) -> None:
    engine = engine_of(await manager_of(log), BrokenFolder())
    await engine.start()
    calls = [asyncio.ensure_future(engine.append(entry=entry(number))) for number in range(3)]
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    with pytest.raises(RuntimeError, match="a defect"):
        await engine.check()
    for _ in range(2):  # it stays so, also once the failure itself was shown
        with pytest.raises(Unavailable, match="a task of blockchain-engine has failed"):
            await engine.check()
    with pytest.raises(Unavailable):
        await engine.append(entry=entry(4))
    await engine.stop()


async def test_a_caller_that_goes_away_changes_nothing(log: MemoryFolder, folder: MemoryFolder) -> None:
    async with running(engine_of(await manager_of(log), folder)) as engine:
        call = asyncio.ensure_future(engine.append(entry=entry(0)))
        await asyncio.sleep(0)
        call.cancel()
        assert await engine.append(entry=entry(0)) == 0
        assert await engine.append(entry=entry(1)) == 1


async def test_start_waits_for_a_store_that_comes_up_later(log: MemoryFolder, folder: MemoryFolder) -> None:
    manager = await manager_of(log)
    calls = 0

    class Late:
        async def state(self) -> TreeState:
            nonlocal calls
            calls += 1
            if calls < 2:
                raise Unavailable("not up yet")
            return await manager.state()

        def __getattr__(self, name: str) -> object:
            return getattr(manager, name)

    async with running(engine_of(Late(), folder)) as engine:
        assert await engine.append(entry=entry(0)) == 0
    calls = -1_000_000
    with pytest.raises(Unavailable, match="not up"):
        await engine_of(Late(), folder, store_timeout_s=0.01).start()


async def test_create_checks_the_key_and_wires_the_port(log: MemoryFolder, folder: MemoryFolder) -> None:
    ports = Ports({Folder: folder, LogStore: await manager_of(log)})
    app = create(BlockchainEngineSettings(log_key=SKEY), ports)
    await app.start()
    await app.checks["log"]()
    await app.stop()
    with pytest.raises(InvalidInput):
        create(BlockchainEngineSettings(log_key=Secret("nonsense")), ports)
