"""When Python looks for garbage in cycles, and what memory it keeps. A process of ours makes very many objects while it
starts, and keeps them: looking through these again and again is about a tenth of the time that loading takes, and later
holds up the loop. What it does not keep leaves gaps: 3.4 MB in a service."""

import contextlib
import ctypes
import gc
import sys
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
    """Call once, when the process has started: what is there by now stays, and is not looked through any more, and
    the gaps between are the machine's again."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(ctypes.c_size_t(0))  # man 3 malloc_trim; a GNU function
