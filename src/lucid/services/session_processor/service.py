"""The processor: one sealing job at a time a core, and the segments behind it packed ahead."""

import asyncio

from lucid.base.cpus import usable_cpus
from lucid.base.errors import Unavailable
from lucid.base.ids import SessionId
from lucid.ports.recording import Recorder, Sealed, SealJob, Storage
from lucid.recording.sealing import PackedSegment, pack_segment, seal_packed
from lucid.services.session_processor.keys import DataKeys
from lucid.services.session_processor.memory import SegmentMemory
from lucid.services.session_processor.read_ahead import ReadAhead
from lucid.services.session_processor.settings import SessionProcessorSettings
from lucid.services.session_processor.typed import read_typed

AT_ONCE_BYTES = 1024 * 1024
"""So much is encrypted in less than a millisecond, which is less than a thread may have to wait for its turn while the
others pack."""


class SessionProcessor:
    """Implements the port Processor."""

    def __init__(self, settings: SessionProcessorSettings, *, recorder: Recorder, storage: Storage) -> None:
        self._settings = settings
        self._recorder = recorder
        self._storage = storage
        self._keys = DataKeys(settings.platform_identity)
        jobs = settings.jobs or usable_cpus()
        # A job holds a segment and its chunk in memory, so the bound is one of memory as well.
        self._jobs = asyncio.Semaphore(jobs)
        # One more than cores, since one of them reads.
        self._packs = asyncio.Semaphore(jobs + 1)
        self._memory = SegmentMemory()
        self._ahead = ReadAhead(self._pack, depth=settings.read_ahead, limit=settings.read_ahead * jobs)

    async def seal(self, *, job: SealJob, wait_s: float = 60.0) -> Sealed:
        try:
            async with asyncio.timeout(wait_s):
                return await self._seal(job)
        except TimeoutError:
            raise Unavailable(
                f"chunk {job.index} of session {job.session} was not sealed within {wait_s:g} s"
            ) from None

    async def _seal(self, job: SealJob) -> Sealed:
        data_key = await self._keys.unwrap(job.platform_key)
        async with self._jobs:
            packed = await self._ahead.take(data_key, job.session, job.segment, job.typing is not None)
            if len(packed.compressed) <= AT_ONCE_BYTES:
                sealed = seal_packed(job, data_key, packed)
            else:
                sealed = await asyncio.to_thread(seal_packed, job, data_key, packed)
            chunk = sealed and sealed.record(await self._storage.put(chunk=sealed.data))
            if job.typing is None:
                return Sealed(chunk=chunk)
            typed = await asyncio.to_thread(read_typed, job, data_key, packed)
            return Sealed(chunk=chunk, lines=typed.lines, layout=typed.layout, typing=typed.typing)

    async def _pack(self, data_key: bytes, session: SessionId, number: int, client: bool) -> PackedSegment:
        async with self._packs:
            sealed = self._memory.take()
            segment = await self._recorder.read_segment(session=session, number=number, memory=sealed)
            memory = self._memory.take(len(segment))
            level = self._settings.zstd_level
            packed = await asyncio.to_thread(
                pack_segment, data_key, session, number, segment, zstd_level=level, client=client, memory=memory
            )
            # Not for a packing that was cancelled: its thread still runs.
            del segment
            self._memory.give_back(sealed, memory)
            return packed

    async def stop(self) -> None:
        """Nothing runs when it returns; a sealing under way has been cancelled by its caller."""
        await self._ahead.close()
