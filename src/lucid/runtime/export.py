"""A recording as files that can be verified anywhere: bundle.json, chunks/, log.key, perhaps shares.json."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.model.bundle import Bundle
from lucid.model.kept import gone, shares_of
from lucid.ports.keeping import Keeping
from lucid.ports.log import Anchoring, LogWriter
from lucid.ports.recording import Storage

P = TypeVar("P")

BUNDLE_FILE = "bundle.json"
CHUNKS_FOLDER = "chunks"
KEY_FILE = "log.key"
SHARES_FILE = "shares.json"
PARALLEL_CHUNKS = 4


class PortSource(Protocol):
    """Where ports come from: the platform in this process or a running one."""

    def port(self, port: type[P]) -> P: ...


@dataclass(frozen=True)
class Export:
    """The exported files of one session."""

    folder: Path
    bundle: Path
    chunks: Path
    key: Path
    shares: Path


def export_paths(folder: Path) -> Export:
    """Where the files of an export stand."""
    return Export(folder, folder / BUNDLE_FILE, folder / CHUNKS_FOLDER, folder / KEY_FILE, folder / SHARES_FILE)


def _prepare(chunks: Path, digests: set[str]) -> None:
    chunks.mkdir(parents=True, exist_ok=True)
    if any(file.name not in digests for file in chunks.iterdir()):
        raise InvalidInput(f"{chunks} holds files that are not of this recording: export it to a folder of its own")


async def export_session(
    platform: PortSource,
    session: str,
    folder: Path,
    *,
    wait_s: float = 30.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Export:
    """Write the session's bundle, its chunks, the log's key and the keys of further recipients into `folder`, which is
    created.

    The bundle is written last, so a folder that has one is complete. The export itself becomes an entry of
    the log. Raises NotFound, InvalidInput for a folder with another recording's chunks, Corrupted for a lost or
    damaged chunk, and Unavailable while the session is not proven within `wait_s`.
    """
    anchoring, storage = platform.port(Anchoring), platform.port(Storage)
    kept = await platform.port(Keeping).kept(session=session)
    if kept.deletion is not None:
        raise NotFound(gone(kept.deletion))
    data = await anchoring.bundle(session=session, wait_s=wait_s)
    bundle = Bundle.from_bytes(data)
    paths = export_paths(folder)
    await asyncio.to_thread(_prepare, paths.chunks, {chunk.digest for chunk in bundle.chunks})
    places = asyncio.Semaphore(PARALLEL_CHUNKS)
    done = 0

    async def fetch(index: int, digest: str) -> None:
        nonlocal done
        async with places:
            try:
                chunk = await storage.get(digest=digest)
            except (NotFound, Corrupted) as error:
                raise Corrupted(f"chunk {index} of the recording is lost or damaged: {error.detail}") from None
            await asyncio.to_thread((paths.chunks / digest).write_bytes, chunk)
        done += 1
        progress(done, len(bundle.chunks))

    try:
        async with asyncio.TaskGroup() as group:
            for chunk in bundle.chunks:
                group.create_task(fetch(chunk.index, chunk.digest))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # the first failure is why the others ended, if any did
    status = await platform.port(LogWriter).status()
    await asyncio.to_thread(paths.key.write_text, status.key + "\n")
    if (shares := shares_of(kept)) is not None:
        await asyncio.to_thread(paths.shares.write_bytes, shares.to_bytes())
    await asyncio.to_thread(paths.bundle.write_bytes, data)
    await anchoring.act(type="recording.exported", subject={"actor": "command-line"}, session=session)
    return paths
