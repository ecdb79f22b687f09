"""Content-addressed files on a local disk (port Blobs).

A blob lies at `ab/abcdef…`: 256 folders by the digest's first byte keep each one small.
"""

import hashlib
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.drivers.disk.durable import DurableTree, disk_errors, in_thread, sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{2}")


class DiskBlobs:
    """Blobs below `root`, which one process at a time may use."""

    def __init__(self, root: Path) -> None:
        self._tree = DurableTree(root)
        self._root = root
        self._preparing = threading.Lock()
        self._prepared = False

    async def put(self, data: bytes) -> str:
        return await in_thread(self._put, data)

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        with disk_errors(f"blob {digest}"):
            self._prepare()
            # Written even if the file exists: it may be damaged, or not be synced yet.
            self._tree.write({self._path(digest): data})
        return digest

    def _prepare(self) -> None:
        """Before the first put: make all folders at once, so that later ones sync a file and its folder only."""
        with self._preparing:
            if not self._prepared:
                self._tree.clear_temporary()
                self._tree.make_folders(self._root, (f"{byte:02x}" for byte in range(256)))
                self._prepared = True

    async def get(self, digest: str) -> bytes:
        return await in_thread(self._get, digest, self._path(digest))

    def _get(self, digest: str, path: Path) -> bytes:
        with disk_errors(f"blob {digest}"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                raise NotFound(f"no blob {digest}") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise Corrupted(f"blob {digest}: the file's bytes have another digest")
        return data

    async def size(self, digest: str) -> int:
        return await in_thread(self._size, digest, self._path(digest))

    def _size(self, digest: str, path: Path) -> int:
        with disk_errors(f"blob {digest}"):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                raise NotFound(f"no blob {digest}") from None

    async def delete(self, digest: str) -> bool:
        return await in_thread(self._delete, digest, self._path(digest))

    def _delete(self, digest: str, path: Path) -> bool:
        with disk_errors(f"blob {digest}"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            sync_folder(path.parent)
            return True

    async def digests(self) -> AsyncIterator[str]:
        for prefix in await in_thread(self._names, self._root, _PREFIX):
            for digest in await in_thread(self._names, self._root / prefix, _DIGEST):
                yield digest

    def _names(self, folder: Path, form: re.Pattern[str]) -> list[str]:
        with disk_errors(str(folder)):
            try:
                return sorted(path.name for path in folder.iterdir() if form.fullmatch(path.name))
            except FileNotFoundError:
                return []

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InvalidInput(f"not a SHA-256 digest: {digest[:80]!r}", field="digest")
        return self._root / digest[:2] / digest
