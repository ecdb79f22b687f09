"""The log: durable entries a second with their proofs, and a log of a million entries.

Rate: entries are submitted at a steady pace, whatever the log does meanwhile; each is timed from its submission
until its inclusion proof under a signed checkpoint verifies. Million: built slot by slot, checked by fsck from
its files alone, proved from at four sizes; memory is the peak of the process that does it.
"""

import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Row, at_least, at_most, show
from benchmarks.traffic import WORK
from lucid.base.clock import SystemClock
from lucid.base.logging import configure_logging
from lucid.chain.fsck import fsck
from lucid.chain.rules import form_slot
from lucid.crypto.merkle import leaf_hash, verify_consistency, verify_inclusion
from lucid.crypto.note import SignerKey, open_note, split_note
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.entry import LogEntry
from lucid.model.tlog import Block, Checkpoint
from lucid.services.block_manager.service import BlockManager
from lucid.services.blockchain_engine.service import BlockchainEngine
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings

GOAL = 1500
PACE = 1550
SECONDS = 15
BURST = 20_000
CLIENTS = 256
SIZES = (1_000, 10_000, 100_000, 1_000_000)
_SLOT = 10_000
_PROOFS = 500
_TIME = "2026-11-22T21:42:00.000000Z"


def entry(number: int) -> bytes:
    """An entry of the size of a session's."""
    return (
        b'{"actor":"session-pipeline","body":"%064x","format":"lucid-entry/1","recorder":"rec-3f6a91","sequence":%d,'
        b'"session":"01930000-0000-7000-8000-%012x","time":"%s","type":"session.closed"}'
        % (number, number + 1, number, _TIME.encode())
    )


def run() -> list[Row]:
    LogEntry.from_bytes(entry(0))
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        paced, burst = asyncio.run(_rates(Path(name)))
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        command = [sys.executable, "-m", "benchmarks.log", "--million", name]
        outcome = subprocess.run(command, check=True, capture_output=True, text=True)
    return [*paced, *burst, *(Row(**row) for row in json.loads(outcome.stdout))]


async def _rates(root: Path) -> tuple[list[Row], list[Row]]:
    signer = SignerKey.generate("bench.local/log")
    manager = BlockManager(folder=DiskFolder(root / "log"), verifier=signer.verifier)
    await manager.start()
    settings = BlockchainEngineSettings(log_key=signer.format())
    engine = BlockchainEngine(
        settings, store=manager, folder=DiskFolder(root / "engine"), signer=signer, clock=SystemClock()
    )
    await engine.start()
    try:
        return await _paced(engine, manager, signer), await _burst(engine)
    finally:
        await engine.stop()
        await manager.stop()


async def _paced(engine: BlockchainEngine, manager: BlockManager, signer: SignerKey) -> list[Row]:
    """Submit PACE entries a second; nothing slows the submission down."""
    durable: list[float] = []
    proved: list[float] = []
    checkpoints: dict[str, Checkpoint] = {}

    last = 0.0

    async def submit(number: int) -> None:
        nonlocal last
        began = time.perf_counter()
        data = entry(number)
        index = await engine.append(entry=data)
        last = time.perf_counter()
        durable.append(last - began)
        note = await engine.included(index=index, wait_s=60)
        if note not in checkpoints:
            checkpoints[note] = Checkpoint.from_text(open_note(note, signer.verifier))
        tree = checkpoints[note]
        path = [bytes.fromhex(value) for value in await manager.inclusion(index=index, size=tree.size)]
        assert verify_inclusion(leaf_hash(data), index, tree.size, path, tree.root)
        proved.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(PACE * SECONDS):
            await asyncio.sleep(max(0.0, began + number / PACE - time.perf_counter()))
            group.create_task(submit(number))
    return [
        at_least("durable entries a second, submitted at a steady pace", len(durable) / (last - began), GOAL),
        Row("from submission to durable, median and p99", f"{_ms(durable, 50)}, {_ms(durable, 99)}"),
        Row("from submission to a proof that verifies, median", _ms(proved, 50)),
        at_most("the same, p99", _percentile(proved, 99), 2, " s"),
    ]


async def _burst(engine: BlockchainEngine) -> list[Row]:
    """CLIENTS that each submit the next entry as soon as the last one is durable."""
    numbers = iter(range(10_000_000, 10_000_000 + BURST))

    async def client() -> None:
        for number in numbers:
            await engine.append(entry=entry(number))

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    rate = BURST / (time.perf_counter() - began)
    return [at_least(f"durable entries a second, {CLIENTS} clients without pause", rate, GOAL)]


async def _million(root: Path) -> list[Row]:
    """Build, prove and check a large log. Runs in a process of its own, so that its memory can be told."""
    signer = SignerKey.generate("bench.local/log")
    manager = BlockManager(folder=DiskFolder(root), verifier=signer.verifier)
    await manager.start()
    state = await manager.state()
    busy, proofs = 0.0, []
    for size in SIZES:
        began = time.perf_counter()
        while state.size < size:
            entries = [entry(number) for number in range(state.size, min(size, state.size + _SLOT))]
            slot = await asyncio.to_thread(form_slot, state, entries, time=_TIME, signer=signer, proposer="benchmark")
            state = await manager.commit(slot=slot.encode())
        busy += time.perf_counter() - began
        proofs.append(await _prove(manager, size))
    began = time.perf_counter()
    report = await fsck(DiskFolder(root), signer.verifier)
    checked = time.perf_counter() - began
    assert (report.entries, report.problems) == (SIZES[-1], ())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Row("a million entries built, checked and made durable", f"{busy:.1f} s ({SIZES[-1] / busy:,.0f} a second)"),
        Row("fsck of it", f"{checked:.1f} s, {report.tiles} tiles, {report.blocks} blocks"),
        Row("peak memory of all that", f"{peak:.0f} MB"),
        *proofs,
    ]


async def _prove(manager: BlockManager, size: int) -> Row:
    """Random inclusion and consistency proofs in a tree of `size` entries, made and verified."""
    chooser = random.Random(size)
    state = await manager.state()
    root = Checkpoint.from_text(split_note(state.checkpoint)[0]).root
    seconds, lengths = [], []
    for _ in range(_PROOFS):
        index = chooser.randrange(size)
        began = time.perf_counter()
        path = [bytes.fromhex(value) for value in await manager.inclusion(index=index, size=size)]
        assert verify_inclusion(leaf_hash(entry(index)), index, size, path, root)
        seconds.append(time.perf_counter() - began)
        lengths.append(len(path))
    first = Block.from_text(split_note(await manager.block(height=0))[0])
    path = [bytes.fromhex(value) for value in await manager.consistency(old=first.size, new=size)]
    assert verify_consistency(first.size, size, first.root, root, path)
    median = statistics.median(seconds) * 1000
    return Row(f"inclusion proof in {size:,} entries", f"{max(lengths)} hashes at most, {median:.2f} ms")


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _ms(values: list[float], percent: int) -> str:
    return f"{_percentile(values, percent) * 1000:.0f} ms"


if __name__ == "__main__":
    configure_logging(json=True, level="WARNING")
    if sys.argv[1:2] == ["--million"]:
        rows = asyncio.run(_million(Path(sys.argv[2])))
        json.dump([{"what": row.what, "figure": row.figure} for row in rows], sys.stdout)
    else:
        show("log", run())
