"""Wait in a test for what another task, service or process does in its own time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.005
WITHIN_S = 10.0  # far more than anything waited for takes, so that a busy machine fails nothing


async def until(look: Callable[[], T | Awaitable[T]], *, within_s: float = WITHIN_S) -> T:
    """Look again and again until it is true; what was seen then.

    Raises:
        TimeoutError: it was not within that time.
    """
    async with asyncio.timeout(within_s):
        while True:
            found = look()
            seen = await found if inspect.isawaitable(found) else found
            if seen:
                return seen
            await asyncio.sleep(POLL_S)
