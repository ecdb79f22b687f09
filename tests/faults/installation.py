"""`lucid up` as a process that tests may kill: on a folder of the test, with ports that the system chooses."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from lucid.runtime.client import RemotePlatform
from lucid.runtime.paths import DataDir

LUCID = Path(sys.executable).with_name("lucid")
START_LIMIT_S = 60.0
_ENVIRONMENT = {
    "LUCID_HTTP_PORT": "0",
    "LUCID_RDP_CONTROLLER_RDP_PORT": "0",
    "LUCID_API_GATEWAY_PUBLIC_PORT": "0",
    "LUCID_BLOCKCHAIN_ENGINE_SLOT_MS": "50",
}


class Installation:
    """A data folder, and the process that runs on it now. `environment` is added to every start's."""

    def __init__(self, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = DataDir(folder / "data")
        self._log = folder / "log"
        self._environment = {**os.environ, **_ENVIRONMENT, **environment, "LUCID_DATA_DIR": str(self.data.root)}
        self.process: Process | None = None
        self._family: list[psutil.Process] = []

    async def start(self) -> None:
        """Return when every service runs."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                LUCID,
                "up",
                "--json",
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(START_LIMIT_S):
            while self._announced() != self.process.pid:
                assert self.process.returncode is None, self._log.read_text()[-2000:]
                await asyncio.sleep(0.02)
        leader = psutil.Process(self.process.pid)
        self._family = [leader, *leader.children(recursive=True)]

    def _announced(self) -> int:
        """Process id in the run file, which a killed platform leaves behind."""
        try:
            return int(json.loads(self.data.run_file.read_text())["pid"])
        except FileNotFoundError:
            return 0

    @contextlib.asynccontextmanager
    async def platform(self) -> AsyncIterator[RemotePlatform]:
        async with RemotePlatform.of(self.data) as remote:
            yield remote

    async def kill(self) -> float:
        """SIGKILL; returns the monotonic time of it, once nothing of the process is left."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        killed = time.monotonic()
        await self._gone()
        return killed

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status, once nothing of the process is left."""
        assert self.process is not None
        self.process.send_signal(number)
        return await self._gone()

    async def _gone(self) -> int:
        """Wait for the end of the process and its children; of the children's, for five seconds."""
        assert self.process is not None
        status = await self.process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, self._family, timeout=5)
        assert not alive, f"left behind: {alive}"
        self.process = None
        return status

    def events(self) -> list[dict[str, Any]]:
        """Everything that was logged so far, of all starts."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]


@contextlib.asynccontextmanager
async def running(installation: Installation) -> AsyncIterator[RemotePlatform]:
    """Started while in the context, and killed at its end if it still runs then."""
    try:
        await installation.start()
        async with installation.platform() as platform:
            yield platform
    finally:
        if installation.process is not None:
            await installation.kill()
