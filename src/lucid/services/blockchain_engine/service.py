"""The order of the log: entries in, one signed block and checkpoint a slot out."""

import asyncio

import structlog

from lucid.base.clock import Clock, Stamps, parse_time
from lucid.base.errors import Conflict, Corrupted, InvalidInput, LucidError, StorageFull, Unavailable
from lucid.base.tasks import Tasks
from lucid.chain.rules import form_slot
from lucid.chain.wal import Wal
from lucid.crypto.note import SignerKey
from lucid.model.entry import MAX_ENTRY_BYTES, LogEntry
from lucid.ports.log import LogStatus, LogStore, TreeState
from lucid.ports.stores import Folder
from lucid.services.blockchain_engine.intake import Intake
from lucid.services.blockchain_engine.resume import PUBLISHED, check_state, newest_entries, reach
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings

_log = structlog.get_logger()

PROPOSER = "blockchain-engine"
_RETRY_S = (0.1, 0.3, 1.0, 3.0, 5.0)


class BlockchainEngine:
    """Port LogWriter. One at a time may run for a log: the Folder's lock and LogStore's Conflict see to it."""

    def __init__(
        self,
        settings: BlockchainEngineSettings,
        *,
        store: LogStore,
        folder: Folder,
        signer: SignerKey,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._folder = folder
        self._signer = signer
        self._clock = clock
        self._wal = Wal(folder)
        self._intake = Intake(
            self._wal,
            max_entries=settings.max_pending,
            max_bytes=settings.max_pending_bytes,
            recent=settings.recent_entries,
        )
        self._state = TreeState()
        self._stamps = Stamps(clock)
        self._grown = asyncio.Event()
        self._halted = "blockchain-engine has not started"
        self._tasks = Tasks(PROPOSER)

    async def start(self) -> None:
        """Take up the log where it stands and the entries that were acknowledged but not published. Raises
        Corrupted when the log was rolled back or is not ours, Conflict when another engine owns the folder,
        Unavailable when block-manager does not answer in time."""
        await self._folder.lock()
        state = await reach(self._store, self._settings.store_timeout_s)
        await check_state(state, self._store, self._folder, self._signer.verifier)
        pending = await self._wal.replay(state.size)
        recent = await newest_entries(self._store, state.size, self._settings.recent_entries)
        self._intake.restore(state.size, recent, pending)
        self._state = state
        self._stamps = Stamps(self._clock, state.block_time)
        self._halted = ""
        self._tasks.spawn(self._intake.run(), name="intake")
        self._tasks.spawn(self._slots(), name="slots")
        _log.info("engine started", origin=self._signer.name, size=state.size, pending=len(pending))

    async def stop(self) -> None:
        """Stop taking entries. What is acknowledged and not published stays in the write-ahead log."""
        self._halted = "blockchain-engine is stopping"
        await self._tasks.close()
        self._intake.abandon()
        await self._wal.close()

    async def check(self) -> None:
        """Readiness. Raises Unavailable when the log cannot go on without a person."""
        self._tasks.check()
        self._check_running()

    def _check_running(self) -> None:
        if self._halted:
            raise Unavailable(self._halted)
        if len(self._tasks) < 2:
            raise Unavailable("the log is halted: a task of blockchain-engine has failed, see its log")

    async def append(self, *, entry: bytes) -> int:
        if len(entry) > MAX_ENTRY_BYTES:
            raise InvalidInput(f"entry: {len(entry)} bytes, at most {MAX_ENTRY_BYTES} are allowed", field="entry")
        self._check_time(LogEntry.from_bytes(entry).time)
        self._check_running()
        return await self._intake.append(entry)

    def _check_time(self, time: str) -> None:
        """A block's time follows its entries', and no later block goes back: one entry dated far into the future
        would date all that come after it. The newest block counts as well, for the clock may have stepped back."""
        now = max(self._clock.now(), self._state.block_time)
        if time > now and (ahead := parse_time(time) - parse_time(now)).total_seconds() > self._settings.ahead_s:
            raise InvalidInput(
                f"time: {ahead.total_seconds():.0f} s later than the log's clock ({now}), "
                f"at most {self._settings.ahead_s} s are allowed (LUCID_BLOCKCHAIN_ENGINE_AHEAD_S)",
                field="time",
            )

    async def included(self, *, index: int, wait_s: float) -> str:
        try:
            async with asyncio.timeout(wait_s):
                while self._state.size <= index:
                    await self._grown.wait()
        except TimeoutError:
            raise Unavailable(f"entry {index} is not published yet", retry_after_s=1) from None
        return self._state.checkpoint

    async def status(self) -> LogStatus:
        return LogStatus(
            origin=self._signer.name,
            key=self._signer.verifier.format(),
            size=self._state.size,
            pending=self._intake.pending,
            height=self._state.height,
            checkpoint=self._state.checkpoint,
            slot_ms=self._settings.slot_ms,
        )

    async def _slots(self) -> None:
        """One block for what gathered since the last; the first entry after a pause does not wait."""
        while True:
            await self._intake.some()
            begun = self._clock.monotonic()
            try:
                await self._slot()
            except (Conflict, Corrupted, InvalidInput) as error:
                self._halted = f"the log is halted: {error.detail}"
                _log.error("log halted", reason=error.detail, size=self._state.size)
                raise
            await asyncio.sleep(max(0.0, begun + self._settings.slot_ms / 1000 - self._clock.monotonic()))

    async def _slot(self) -> None:
        entries = self._intake.head(self._settings.slot_entries, self._settings.slot_bytes)
        slot = await asyncio.to_thread(
            form_slot, self._state, entries, time=self._stamps.next(), signer=self._signer, proposer=PROPOSER
        )
        data = slot.encode()
        attempt = 0
        while True:
            try:
                state = await self._store.commit(slot=data)
                await self._folder.write({PUBLISHED: state.checkpoint.encode()})
                break
            except (Unavailable, StorageFull) as error:
                delay = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                _log.warning("slot not published", reason=error.detail, attempt=attempt, retry_s=delay)
                await asyncio.sleep(delay)
                attempt += 1
        if state.checkpoint != slot.checkpoint:
            raise Conflict("block-manager published another checkpoint than it was given")
        self._state = state
        self._grown.set()
        self._grown = asyncio.Event()
        await self._forget(state.size)

    async def _forget(self, size: int) -> None:
        """Drop what is published from memory and from the write-ahead log. A file that cannot be deleted now is
        deleted after a later slot."""
        try:
            await self._intake.published(size)
        except LucidError as error:
            _log.warning("write-ahead log not shortened", reason=error.detail)
