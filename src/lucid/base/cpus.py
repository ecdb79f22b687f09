"""How many CPU cores this process may keep busy."""

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_LIMITS = ("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
_NO_QUOTA = "max", "-1"


def usable_cpus(groups: Path = _GROUPS) -> int:
    """The cores that it may run on, or as many as its container may use of them, whichever is less; part of a core
    counts as one. `groups` is where the container sees its control group: quota and period are in one file or in two
    (Linux: Documentation/admin-guide/cgroup-v2.rst, Documentation/scheduler/sched-bwc.rst)."""
    cores = len(os.sched_getaffinity(0))
    for names in _LIMITS:
        try:
            quota, period = " ".join((groups / name).read_text() for name in names).split()
        except FileNotFoundError:  # no container, or the other kind of control groups
            continue
        return cores if quota in _NO_QUOTA else min(cores, math.ceil(int(quota) / int(period)))
    return cores
