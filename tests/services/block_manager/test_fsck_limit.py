"""A check of the whole log may take long, but not for ever."""

import asyncio

import pytest

from lucid.base.errors import Unavailable
from lucid.crypto.note import SignerKey
from lucid.services.block_manager.service import BlockManager
from tests.chain.memory_folder import MemoryFolder


async def test_a_check_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(self: MemoryFolder, path: str) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError(path)

    manager = BlockManager(folder=MemoryFolder(), verifier=SignerKey.generate("lucid.test/log").verifier)
    await manager.start()
    monkeypatch.setattr(MemoryFolder, "read", slow)
    with pytest.raises(Unavailable, match="not read within"):
        await manager.fsck(wait_s=0.05)
