"""The bound on all journals together."""

from lucid.base.errors import StorageFull


class Backlog:
    """Counts the bytes of segments that are not released yet."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.bytes = 0

    def check(self) -> None:
        """Raises StorageFull when the journals have reached the limit."""
        if self.bytes >= self._limit:
            raise StorageFull(f"the journals have reached their limit of {self._limit} bytes: sealing lags behind")

    def add(self, count: int) -> None:
        self.bytes += count

    def remove(self, count: int) -> None:
        self.bytes -= count
