"""Garbage in cycles: not looked for while a process starts, and not among what was there then. Memory that the start
left over is given back."""

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import gc
from lucid.runtime.collecting import YOUNG, not_collecting, settled

class Kept: ...

with not_collecting():
    assert not gc.isenabled()
    kept = [Kept() for _ in range(1000)]
assert gc.isenabled()
settled()
assert gc.get_freeze_count() >= 1000
assert not any(isinstance(each, Kept) for each in gc.get_objects())
assert gc.get_threshold() == (YOUNG, 10, 10)
"""

_LEFT_OVER = """
import ctypes
import psutil
from lucid.runtime.collecting import settled

process = psutil.Process()
allocated = [ctypes.create_string_buffer(b"x" * 10_000) for _ in range(5_000)]
kept = allocated[::100]
del allocated
before = process.memory_info().rss
settled()
assert before - process.memory_info().rss > 40_000_000
"""


def test_what_was_there_at_the_start_is_not_looked_through() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's malloc can be told to")
def test_memory_between_what_is_kept_is_given_back() -> None:
    subprocess.run([sys.executable, "-c", _LEFT_OVER], check=True)
