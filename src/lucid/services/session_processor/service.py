"""The processor: one sealing job at a time a core."""

import asyncio
import os

from lucid.base.clock import Clock
from lucid.model.chunk import ChunkRecord
from lucid.ports.recording import Recorder, SealJob, Storage
from lucid.recording.sealing import seal_segment
from lucid.services.session_processor.keys import DataKeys
from lucid.services.session_processor.settings import SessionProcessorSettings


class SessionProcessor:
    """Implements the port Processor."""

    def __init__(
        self, settings: SessionProcessorSettings, *, recorder: Recorder, storage: Storage, clock: Clock
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._storage = storage
        self._keys = DataKeys(settings.platform_identity, clock)
        # A job holds a segment and its chunk in memory, so the bound is one of memory as well.
        self._jobs = asyncio.Semaphore(settings.jobs or os.cpu_count() or 1)

    async def seal(self, *, job: SealJob) -> ChunkRecord | None:
        data_key = await self._keys.unwrap(job.platform_key)
        async with self._jobs:
            segment = await self._recorder.read_segment(session=job.session, number=job.segment)
            level = self._settings.zstd_level
            sealed = await asyncio.to_thread(seal_segment, job, data_key, segment, zstd_level=level)
            if sealed is None:
                return None
            return sealed.record(await self._storage.put(chunk=sealed.data))
