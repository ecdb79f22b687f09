"""Memory for a segment: its records, and the frames in them."""

import asyncio

KEEP_S = 1.0


class SegmentMemory:
    """Lends memory, and keeps what comes back for the next segment: fresh memory costs a page fault every 4 KiB,
    about half as much as decrypting into it. Kept for a second after the last use, since it holds plaintext."""

    def __init__(self, *, keep_s: float = KEEP_S) -> None:
        self._keep_s = keep_s
        self._free: list[bytearray] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many pieces are kept."""
        return len(self._free)

    def take(self, size: int = 0) -> bytearray:
        """`size` bytes or more, with anything in them."""
        memory = self._free.pop() if self._free else bytearray()
        return memory if len(memory) >= size else bytearray(size)

    def give_back(self, *memories: bytearray) -> None:
        """Nobody uses them any more."""
        self._free += memories
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._keep_s, self._free.clear)
