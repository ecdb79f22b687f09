"""Containers: bringing all of them up, what they need at rest, and going back to the set before.

Needs images of this machine's platform (`lucid images build`), the ports and the container names of a deployment, and
root; so it runs only when it is named. The first bring-up fills the page cache and is not counted.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import Row, at_most
from benchmarks.traffic import WORK
from lucid.catalog.services import SERVICES
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.build import docker, local_platform
from lucid.deploy.launch.place import Place
from lucid.deploy.launch.preparing import init

ROUNDS = 3
REST_S = 60.0
LUCID = Path(sys.executable).with_name("lucid")


def run() -> list[Row]:
    """Nothing of a deployment may run on this machine."""
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK.absolute()) as name:
        Path(name).chmod(0o755)  # containers reach their folders in it
        environment = _prepare(Path(name))
        try:
            return _measure(environment)
        finally:
            _act(environment, "down")


def _measure(environment: Mapping[str, str]) -> list[Row]:
    took, ratios = [], []
    for number in range(ROUNDS + 1):
        seconds = _act(environment, "up", "--skip-preflight")
        if number:
            took.append(seconds)
            ratios.append(seconds / sum(_slowest_starts()))
        if number < ROUNDS:
            _act(environment, "down")
    again = _act(environment, "up", "--skip-preflight")
    time.sleep(REST_S)
    memory = [_memory_mb(service.name) for service in SERVICES]
    subprocess.run([LUCID, "deploy", "configure", "LUCID_LOG_LEVEL=DEBUG"], env=environment, check=True)
    _act(environment, "up", "--skip-preflight")
    back = _act(environment, "rollback")
    return [
        at_most(f"all healthy, median of {ROUNDS}", statistics.median(took), 40, " s"),
        at_most("of the sum of the phases' slowest starts", statistics.median(ratios), 1.3, " x"),
        at_most("when nothing is to change", again, 5, " s"),
        at_most(f"memory of an own service at rest, average of {len(memory)}", statistics.mean(memory), 50, " MB"),
        at_most("rollback, every service started anew", back, 60, " s"),
    ]


def _prepare(folder: Path) -> dict[str, str]:
    """A deployment of its own; returns the environment of its commands."""
    place = Place(folder / "deploy", folder / "identity", folder / "run")
    platform = local_platform()
    chosen = {
        "LUCID_DATA_ROOT": str(folder / "data"),
        "LUCID_LOGS_ROOT": str(folder / "logs"),
        "LUCID_SECRETS_DIR": str(place.secrets),
        "LUCID_PUBLIC_KEYS_DIR": str(folder / "public-keys"),
        "LUCID_IMAGE_TAG": f"latest-{platform.arch}",
        "LUCID_PLATFORM": platform.docker,
    }
    init(place, Catalog(), chosen)
    own = {
        "LUCID_DEPLOY_DIR": str(place.deploy_dir),
        "LUCID_DEPLOY_IDENTITY": str(place.identity),
        "LUCID_RUN_DIR": str(place.run_dir),
    }
    return {**os.environ, **own}


def _act(environment: Mapping[str, str], *words: str) -> float:
    """Seconds of an act on the deployment, which has to end well."""
    done = subprocess.run([LUCID, "deploy", *words, "--json"], env=environment, stdout=subprocess.PIPE, text=True)
    ended = json.loads(done.stdout.splitlines()[-1])
    assert ended["well"], ended
    return float(ended["seconds"])


def _memory_mb(name: str) -> float:
    """PSS of a container's processes. Of files that others have open too, it holds a share."""
    told = subprocess.run([docker(), "top", name, "-eo", "pid"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return sum(psutil.Process(int(pid)).memory_full_info().pss for pid in told.split()[1:]) / 1e6


def _slowest_starts() -> list[float]:
    """For each phase the longest time in seconds that a container took from its start to its first good probe."""
    catalog = Catalog()
    return [
        max(_start_s(piece.name) for piece in catalog.of_phase(phase))
        for phase in catalog.phases
        if catalog.of_phase(phase)
    ]


def _start_s(name: str) -> float:
    (found,) = json.loads(subprocess.run([docker(), "inspect", name], stdout=subprocess.PIPE, check=True).stdout)
    state: dict[str, Any] = found["State"]
    healthy = next(probe["End"] for probe in state["Health"]["Log"] if probe["ExitCode"] == 0)
    return (_time(healthy) - _time(state["StartedAt"])).total_seconds()


def _time(text: str) -> datetime:
    """A time of the engine, whose fraction has nine digits or fewer."""
    whole, _, fraction = text.rstrip("Z").partition("+")[0].partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
