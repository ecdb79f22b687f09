"""The writing thread outlives everything that a disk does to it."""

import asyncio
import sqlite3
from typing import cast

import pytest

from lucid.base.errors import Unavailable
from lucid.drivers.sqlite.writer import Writer


class FailingDisk:
    """A connection whose disk does not even take a transaction back."""

    in_transaction = True

    def execute(self, statement: str) -> None:
        if statement != "BEGIN IMMEDIATE":
            raise sqlite3.OperationalError(f"disk I/O error in {statement}")

    def close(self) -> None:
        pass


async def test_a_transaction_that_cannot_be_taken_back_leaves_no_call_waiting() -> None:
    writer = Writer(cast(sqlite3.Connection, FailingDisk()), "test.db")
    async with asyncio.timeout(5):
        for _ in range(2):
            with pytest.raises(Unavailable, match="COMMIT"):
                await writer.run(lambda connection: None)
    await asyncio.to_thread(writer.close)
