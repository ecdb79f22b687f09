"""kill -9 while entries are appended: what was acknowledged is in the log, at its index, for ever."""

import asyncio
import hashlib
import os
import random
import signal
import sys
from pathlib import Path

from lucid.base.clock import SystemClock
from lucid.drivers.disk.folder import DiskFolder
from lucid.services.block_manager.service import BlockManager
from lucid.services.blockchain_engine.service import BlockchainEngine
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings
from tests.chain.memory_folder import SIGNER, SKEY, VERIFIER

KILLS = 22


async def append_until_killed(root: Path, run: int, seconds: float) -> dict[int, str]:
    """Index and digest of each entry that the process saw acknowledged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.blockchain_engine.engine_process",
        str(root),
        str(run),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline()]
    assert lines[0].startswith(b"ready"), lines
    asyncio.get_running_loop().call_later(seconds, process.send_signal, signal.SIGKILL)
    rest = await process.stdout.read()
    assert await process.wait() == -signal.SIGKILL
    whole = [line.split() for line in rest.decode().split("\n")[:-1]]
    return {int(index): digest for index, digest in whole}


async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    chooser = random.Random()
    acknowledged: dict[int, str] = {}
    for run in range(KILLS):
        seen = await append_until_killed(tmp_path, run, chooser.uniform(0.0, 0.15))
        assert not seen.keys() & acknowledged.keys(), "an index was given twice"
        acknowledged |= seen
    assert len(acknowledged) > KILLS
    manager = BlockManager(folder=DiskFolder(tmp_path / "log"), verifier=VERIFIER)
    await manager.start()
    engine = BlockchainEngine(
        BlockchainEngineSettings(log_key=SKEY, slot_ms=10),
        store=manager,
        folder=DiskFolder(tmp_path / "engine"),
        signer=SIGNER,
        clock=SystemClock(),
    )
    await engine.start()
    await engine.included(index=max(acknowledged), wait_s=10)
    await engine.stop()
    for index, digest in acknowledged.items():
        assert hashlib.sha256(await manager.entry(index=index)).hexdigest() == digest
    report = await manager.fsck()
    assert report.problems == ()
    assert report.entries > max(acknowledged)
