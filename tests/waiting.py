"""Wait in a test for what another task, service or process does in its own time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_S = 0.005
WITHIN_S = 10.0  # far more than anything waited for takes, so that a busy machine fails nothing


@overload
async def until(look: Callable[[], Awaitable[T]], *, within_s: float = WITHIN_S) -> T: ...


@overload
async def until(look: Callable[[], T], *, within_s: float = WITHIN_S) -> T: ...


async def until(look: Callable[[], Any], *, within_s: float = WITHIN_S) -> Any:
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


async def until_not(look: Callable[[], Any], *, within_s: float = WITHIN_S) -> None:
    """Look again and again until it is false, empty or nothing.

    Raises:
        TimeoutError: it was not within that time.
    """

    async def is_not() -> bool:
        found = look()
        return not (await found if inspect.isawaitable(found) else found)

    await until(is_not, within_s=within_s)
