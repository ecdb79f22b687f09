"""A Folder in memory that can fail where a test says, and a log on top of one."""

from collections.abc import Mapping, Sequence

from lucid.base.errors import LucidError, NotFound
from lucid.chain.rules import form_slot
from lucid.crypto.note import SignerKey
from lucid.model.canonical import digest_of
from lucid.model.entry import LogEntry
from lucid.ports.log import TreeState
from lucid.ports.stores import Folder
from lucid.services.block_manager.service import BlockManager

ORIGIN = "lucid.test/log"
SIGNER = SignerKey(ORIGIN, bytes(range(32)))
SKEY = SIGNER.format()
VERIFIER = SIGNER.verifier
TIME = "2026-11-22T21:42:00.000000Z"


class Crash(BaseException):
    """The process ends here."""


class MemoryFolder:
    """`writes_left` counts down with every file written or deleted; at 0 the process crashes. `refuse` is raised
    by the next writes and appends."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.writes_left: int | None = None
        self.refuse: LucidError | None = None
        self.steps = 0

    def _step(self) -> None:
        self.steps += 1
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise Crash
            self.writes_left -= 1

    async def lock(self) -> None:
        return

    async def write(self, files: Mapping[str, bytes]) -> None:
        if self.refuse:
            raise self.refuse
        for path, data in files.items():
            self._step()
            self.files[path] = data

    async def open_append(self, path: str) -> "MemoryAppendFile":
        if self.refuse:
            raise self.refuse
        self.files.setdefault(path, b"")
        return MemoryAppendFile(self, path)

    async def read(self, path: str) -> bytes:
        if path not in self.files:
            raise NotFound(path)
        return self.files[path]

    async def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> bytes:
        data = await self.read(path)
        return b"".join(data[offset : offset + length] for offset, length in ranges)

    async def read_into(self, path: str, ranges: Sequence[tuple[int, int]], memory: memoryview) -> memoryview:
        data = await self.read_ranges(path, ranges)
        memory[: len(data)] = data
        return memory[: len(data)]

    async def list(self, path: str = "") -> list[str]:
        prefix = f"{path}/" if path else ""
        return sorted(name for name in self.files if name.startswith(prefix))

    async def delete(self, path: str) -> bool:
        self._step()
        gone = [name for name in self.files if name == path or name.startswith(f"{path}/")]
        for name in gone:
            del self.files[name]
        return bool(gone)


class MemoryAppendFile:
    def __init__(self, folder: MemoryFolder, path: str) -> None:
        self._folder = folder
        self._path = path

    async def append(self, *parts: bytes | memoryview) -> None:
        data = b"".join(parts)
        if self._folder.refuse:
            self._folder.files[self._path] += data[: len(data) // 2]
            raise self._folder.refuse
        self._folder.files[self._path] += data

    async def close(self) -> None:
        return


def entry(number: int) -> bytes:
    return LogEntry(type="test.entry", time=TIME, actor="test", body=digest_of(b"%d" % number)).to_bytes()


def slot_after(state: TreeState, entries: list[bytes], *, time: str = TIME, signer: SignerKey = SIGNER) -> bytes:
    return form_slot(state, entries, time=time, signer=signer, proposer="test").encode()


async def manager_of(folder: Folder) -> BlockManager:
    manager = BlockManager(folder=folder, verifier=VERIFIER)
    await manager.start()
    return manager


async def grow(manager: BlockManager, *sizes: int) -> TreeState:
    """Commit slots until the log has each of `sizes` in turn; entry n is `entry(n)`."""
    state = await manager.state()
    for size in sizes:
        if size == state.size:
            continue
        state = await manager.commit(slot=slot_after(state, [entry(n) for n in range(state.size, size)]))
    return state
