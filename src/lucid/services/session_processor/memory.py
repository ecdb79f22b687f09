"""Memory for a segment: its records, and the frames in them."""

import asyncio
import contextlib
import mmap

KEEP_S = 1.0
PIECE_BYTES = 12 * 1024 * 1024
"""The least that is lent: a segment of the usual 8 MiB fits in any piece. What is not written to takes no memory."""


class SegmentMemory:
    """Lends memory, and keeps what comes back for the next segment: fresh memory costs a page fault every 4 KiB, about
    half as much as decrypting into it, and where the system has larger pages, a fault for each of those. Kept for a
    second after the last use, since it holds plaintext."""

    def __init__(self, *, keep_s: float = KEEP_S) -> None:
        self._keep_s = keep_s
        self._free: list[memoryview] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many pieces are kept."""
        return len(self._free)

    def take(self, size: int = 0) -> memoryview:
        """`size` bytes or more, with anything in them."""
        memory = self._free.pop() if self._free else memoryview(b"")
        return memory if len(memory) >= max(size, 1) else _fresh(max(size, PIECE_BYTES))

    def give_back(self, *memories: memoryview) -> None:
        """Nobody uses them any more."""
        self._free += memories
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._keep_s, self._free.clear)


def _fresh(size: int) -> memoryview:
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel that was built without larger pages (man 2 madvise)
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)
