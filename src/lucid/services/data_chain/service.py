"""Bodies by digest, and whether they are still there and intact."""

from lucid.base.errors import Corrupted, InvalidInput, NotFound
from lucid.model.canonical import Digest
from lucid.ports.log import BodyReport
from lucid.ports.stores import Blobs


class DataChainService:
    """Port DataChain."""

    def __init__(self, *, blobs: Blobs, max_body_bytes: int) -> None:
        self._blobs = blobs
        self._max_body_bytes = max_body_bytes

    async def put(self, *, body: bytes) -> Digest:
        if len(body) > self._max_body_bytes:
            raise InvalidInput(f"body: {len(body)} bytes, at most {self._max_body_bytes} are taken", field="body")
        return await self._blobs.put(body)

    async def get(self, *, digest: Digest) -> bytes:
        return await self._blobs.get(digest)

    async def delete(self, *, digest: Digest) -> bool:
        return await self._blobs.delete(digest)

    async def check(self, *, digests: list[Digest]) -> BodyReport:
        missing, damaged = [], []
        for digest in digests:
            try:
                await self._blobs.get(digest)
            except NotFound:
                missing.append(digest)
            except Corrupted:
                damaged.append(digest)
        return BodyReport(checked=len(digests), missing=tuple(missing), damaged=tuple(damaged))
