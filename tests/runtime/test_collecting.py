"""Garbage in cycles: not looked for while a process starts, and not among what was there then."""

import subprocess
import sys

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


def test_what_was_there_at_the_start_is_not_looked_through() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True)
