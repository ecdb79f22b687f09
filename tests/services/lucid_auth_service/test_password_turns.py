"""A flood of logins: few wait, the others are told to come again."""

import asyncio
import threading

from argon2 import PasswordHasher

from lucid.access.factors import passwords
from lucid.access.factors.passwords import Passwords
from lucid.base.errors import Unavailable
from lucid.base.secret import Secret


class SlowHasher(PasswordHasher):
    """Waits until it may go on."""

    go_on = threading.Event()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        assert self.go_on.wait(10)
        return "hashed"


async def test_who_would_wait_for_too_long_is_told_so() -> None:
    hasher = SlowHasher()
    turns = Passwords(hasher)
    waiting = [asyncio.ensure_future(turns.hash(Secret("p"))) for _ in range(passwords.MOST_WAITING + 20)]
    done, _ = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    hasher.go_on.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert [refusal.retry_after_s for refusal in refused] == [2.0] * 20
    assert done
    assert await turns.hash(Secret("p")) == "hashed"
