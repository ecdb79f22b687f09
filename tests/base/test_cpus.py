import os
from pathlib import Path

import pytest

from lucid.base.cpus import usable_cpus

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("max 100000\n", CORES),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("150000 100000\n", min(CORES, 2)),
        (f"{(CORES + 5) * 100000} 100000\n", CORES),
    ],
)
def test_a_container_has_as_many_as_it_may_use(tmp_path: Path, limit: str, cores: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(limit)
    assert usable_cpus(file) == cores


def test_without_a_limit_all_that_it_may_run_on(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "none") == CORES
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cpus(tmp_path / "none") == 1
    finally:
        os.sched_setaffinity(0, before)
