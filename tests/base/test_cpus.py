import os
from pathlib import Path

import pytest

from lucid.base.cpus import usable_cpus

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [(None, CORES), (100_000, 1), (50_000, 1), (150_000, min(CORES, 2)), ((CORES + 5) * 100_000, CORES)],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_as_many_as_it_may_use(tmp_path: Path, version: int, quota: int | None, cores: int) -> None:
    if version == 1:
        (tmp_path / "cpu").mkdir()
        (tmp_path / "cpu/cpu.cfs_quota_us").write_text(f"{quota or -1}\n")
        (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    else:
        (tmp_path / "cpu.max").write_text(f"{quota or 'max'} 100000\n")
    assert usable_cpus(tmp_path) == cores


def test_without_a_limit_all_that_it_may_run_on(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == CORES
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cpus(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
