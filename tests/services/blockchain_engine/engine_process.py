"""A process that appends entries to a log on disk and reports each acknowledgement; the tests kill it.

Arguments: folder, run number. Standard output: `ready SIZE`, then `INDEX DIGEST` for each acknowledged entry.
"""

import asyncio
import hashlib
import sys
from pathlib import Path

from lucid.base.clock import SystemClock
from lucid.base.logging import configure_logging
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.canonical import digest_of
from lucid.model.entry import LogEntry
from lucid.services.block_manager.service import BlockManager
from lucid.services.blockchain_engine.service import BlockchainEngine
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings
from tests.chain.memory_folder import SIGNER, SKEY, TIME, VERIFIER


async def main(root: Path, run: str) -> None:
    manager = BlockManager(folder=DiskFolder(root / "log"), verifier=VERIFIER)
    await manager.start()
    engine = BlockchainEngine(
        BlockchainEngineSettings(log_key=SKEY, slot_ms=10),
        store=manager,
        folder=DiskFolder(root / "engine"),
        signer=SIGNER,
        clock=SystemClock(),
    )
    await engine.start()
    print("ready", (await engine.status()).size, flush=True)

    async def client(name: int) -> None:
        number = 0
        while True:
            number += 1
            body = digest_of(f"{run} {name} {number}".encode())
            entry = LogEntry(type="test.entry", time=TIME, actor="test", body=body).to_bytes()
            index = await engine.append(entry=entry)
            print(index, hashlib.sha256(entry).hexdigest(), flush=True)

    await asyncio.gather(*(client(name) for name in range(8)))


if __name__ == "__main__":
    configure_logging(json=True, level="WARNING")
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
