"""data-chain: bodies by digest."""

from pathlib import Path

import pytest

from lucid.base.errors import InvalidInput, NotFound
from lucid.drivers.disk.blobs import DiskBlobs
from lucid.model.canonical import digest_of
from lucid.ports.log import DataChain
from lucid.ports.service import Ports
from lucid.ports.stores import Blobs
from lucid.services.data_chain.app import create
from lucid.services.data_chain.service import DataChainService
from lucid.services.data_chain.settings import DataChainSettings


@pytest.fixture
def bodies(tmp_path: Path) -> DataChainService:
    app = create(DataChainSettings(max_body_bytes=1000), Ports({Blobs: DiskBlobs(tmp_path)}))
    service = app.provides[DataChain]
    assert isinstance(service, DataChainService)
    return service


async def test_bodies_come_back_until_they_are_deleted(bodies: DataChainService) -> None:
    digest = await bodies.put(body=b"a manifest")
    assert digest == digest_of(b"a manifest")
    assert await bodies.put(body=b"a manifest") == digest
    assert await bodies.get(digest=digest) == b"a manifest"
    assert await bodies.delete(digest=digest)
    assert not await bodies.delete(digest=digest)
    with pytest.raises(NotFound):
        await bodies.get(digest=digest)


async def test_a_body_that_is_too_large_is_refused(bodies: DataChainService) -> None:
    await bodies.put(body=bytes(1000))
    with pytest.raises(InvalidInput, match="1001 bytes"):
        await bodies.put(body=bytes(1001))


def damage(folder: Path, content: bytes) -> None:
    """Change one letter of the one file that holds `content`."""
    (file,) = (path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == content)
    file.chmod(0o600)
    file.write_bytes(content.replace(b"a", b"A"))


async def test_the_check_tells_missing_and_damaged_bodies(bodies: DataChainService, tmp_path: Path) -> None:
    whole, damaged = await bodies.put(body=b"whole"), await bodies.put(body=b"damaged")
    missing = digest_of(b"missing")
    damage(tmp_path, b"damaged")
    report = await bodies.check(digests=[whole, damaged, missing])
    assert (report.checked, report.missing, report.damaged) == (3, (missing,), (damaged,))
