"""Sealing: recorded frames to stored chunks, against its raw primitives and against backup programs on the same bytes.

Ours is what the platform does: session-processor reads the frames out of the encrypted journal, seals them, and
session-storage makes the chunks durable, file and folder.

Every round runs each contestant once, in turn, on the same disk; figures are medians over the rounds. The
primitives are zstd as ours is set, AES-256-GCM, SHA-256, and a file written and synced, one after the other, chunk by
chunk.
"""

import asyncio
import hashlib
import os
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.report import Row, at_least
from benchmarks.traffic import WORK, segments
from lucid.base.clock import SystemClock
from lucid.base.ids import new_session_id
from lucid.base.logging import configure_logging
from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.drivers.disk.folder import DiskFolder
from lucid.model.manifest import WrappedKey
from lucid.model.session import EndReason, SessionEnd
from lucid.ports.recording import SealJob
from lucid.recording.sealing import compressor
from lucid.services.session_processor.service import SessionProcessor
from lucid.services.session_processor.settings import SessionProcessorSettings
from lucid.services.session_recorder.service import SessionRecorder
from lucid.services.session_recorder.settings import SessionRecorderSettings
from lucid.services.session_storage.service import SessionStorage
from lucid.services.session_storage.settings import SessionStorageSettings

ROUNDS = 5
_NO_CHUNK = "0" * 64
_SECRETS = {"RESTIC_PASSWORD": "benchmark", "BORG_PASSPHRASE": "benchmark"}


def run() -> list[Row]:
    """Needs restic and borgbackup (`scripts/setup bench-packages`)."""
    data = segments()
    size = sum(map(len, data))
    configure_logging(json=False, level="WARNING")
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        seconds = _measure(data, Path(name))
    ours = seconds["sealing"]
    return [
        Row("data: what a real xrdp sent", f"{size / 1e6:.0f} MB in {len(data)} segments"),
        Row("closed journal segments to stored chunks", f"{size / ours / 1e6:.0f} MB/s"),
        at_least("of the speed of its primitives", 100 * seconds["primitives"] / ours, 85, " %"),
        at_least("times the speed of restic backup (compression auto)", seconds["restic"] / ours, 3),
        at_least("times the speed of borg create (lz4, its default)", seconds["borg"] / ours, 3),
        at_least("times the speed of borg create (zstd,1)", seconds["borg zstd"] / ours, 3),
        Row("restic and borg with an empty file", f"{seconds['restic empty']:.2f} s, {seconds['borg empty']:.2f} s"),
    ]


def _measure(data: list[bytes], work: Path) -> dict[str, float]:
    """Median seconds of each contestant."""
    source, empty = work / "source", work / "empty"
    source.mkdir()
    empty.touch()
    for number, segment in enumerate(data):
        (source / f"{number:04d}").write_bytes(segment)
    recorder, session, identity = asyncio.run(journal(data, work / "journal"))
    contestants: dict[str, Callable[[Path], float]] = {
        "primitives": lambda folder: _primitives(data, folder),
        "sealing": lambda folder: asyncio.run(seal_journal(recorder, session, identity, len(data), folder)),
        "restic": lambda folder: _restic(source, folder),
        "restic empty": lambda folder: _restic(empty, folder),
        "borg": lambda folder: _borg(source, folder, "lz4"),
        "borg zstd": lambda folder: _borg(source, folder, "zstd,1"),
        "borg empty": lambda folder: _borg(empty, folder, "lz4"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(ROUNDS):
        for name, contestant in contestants.items():
            os.sync()  # so that nobody pays for what another left to be written
            seconds[name].append(contestant(work / f"{name} {number}"))
    return {name: statistics.median(rounds) for name, rounds in seconds.items()}


def _primitives(data: list[bytes], folder: Path) -> float:
    """zstd, AES-GCM, SHA-256, write and fsync, and nothing else."""
    folder.mkdir()
    level = SessionProcessorSettings.model_fields["zstd_level"].default
    cipher = AESGCM(secrets.token_bytes(32))
    began = time.perf_counter()
    for number, frames in enumerate(data):
        compressed = compressor(level).compress(frames)
        sealed = cipher.encrypt(number.to_bytes(12, "big"), compressed, b"")
        hashlib.sha256(sealed).digest()
        with (folder / str(number)).open("wb", buffering=0) as file:
            file.write(sealed)
            os.fsync(file.fileno())
    return time.perf_counter() - began


def _job(session: str, number: int, previous: str, key: WrappedKey) -> SealJob:
    return SealJob(
        session=session, segment=number, complete=True, index=number, attempt=0, previous=previous, platform_key=key
    )


async def journal(data: list[bytes], folder: Path) -> tuple[SessionRecorder, str, Secret]:
    """A recorder that holds the data as one ended session."""
    identity = age.new_identity()
    settings = SessionRecorderSettings(platform_identity=identity, recipients=(age.recipient_of(identity),))
    recorder = SessionRecorder(settings, folder=DiskFolder(folder), clock=SystemClock())
    await recorder.start()
    session = new_session_id()
    await recorder.open(session=session, playback=False)
    for frames in data:
        await recorder.append(session=session, frames=frames)
    await recorder.close(session=session, end=SessionEnd(reason=EndReason.CLIENT_CLOSED))
    return recorder, session, identity


async def seal_journal(recorder: SessionRecorder, session: str, identity: Secret, count: int, folder: Path) -> float:
    """Closed journal segments to stored chunks, as the pipeline has it done."""
    blobs = DiskBlobs(folder)
    await blobs.put(b"")  # makes the store's folders: the repositories of the others are made before, too
    storage = SessionStorage(SessionStorageSettings(), blobs=blobs)
    settings = SessionProcessorSettings(platform_identity=identity)
    processor = SessionProcessor(settings, recorder=recorder, storage=storage)
    key = (await recorder.start_of(session=session)).platform_key
    previous = _NO_CHUNK
    began = time.perf_counter()
    for number in range(count):
        record = (await processor.seal(job=_job(session, number, previous, key))).chunk
        assert record is not None
        previous = record.digest
    return time.perf_counter() - began


def _restic(source: Path, repository: Path) -> float:
    _command("restic", "init", "-q", "--no-cache", "-r", str(repository))
    return _command("restic", "backup", "-q", "--no-cache", "-r", str(repository), str(source))


def _borg(source: Path, repository: Path, compression: str) -> float:
    _command("borg", "init", "-e", "repokey-blake2", str(repository))
    return _command("borg", "create", "--compression", compression, f"{repository}::one", str(source))


def _command(*arguments: str) -> float:
    """Seconds from start to end."""
    began = time.perf_counter()
    environment = {**os.environ, **_SECRETS, "BORG_BASE_DIR": str(WORK.resolve() / "borg")}
    subprocess.run(arguments, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began
