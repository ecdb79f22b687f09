"""When Python looks for garbage in cycles. A process of ours makes very many objects while it starts, and keeps them:
looking through these again and again is about a tenth of the time that loading takes, and later holds up the loop."""

import contextlib
import gc
from collections.abc import Iterator

YOUNG = 10_000
"""Objects made and kept before the young ones are looked through; Python's own figure is 700."""


@contextlib.contextmanager
def not_collecting() -> Iterator[None]:
    """Look for no garbage meanwhile."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def settled() -> None:
    """Call once, when the process has started: what is there by now stays, and is not looked through any more."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
