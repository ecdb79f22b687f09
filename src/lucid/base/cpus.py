"""How many CPU cores this process may keep busy."""

import math
import os
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus(limit: Path = _LIMIT) -> int:
    """The cores that it may run on, or as many as its container may use of them, whichever is less; part of a core
    counts as one. `limit` is the file of the control group (Linux, cgroup-v2, "cpu.max": quota and period in
    microseconds, the quota `max` for none)."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = limit.read_text().split()
    except FileNotFoundError:  # no container, or an older kind of control groups
        return cores
    return cores if quota == "max" else min(cores, math.ceil(int(quota) / int(period)))
