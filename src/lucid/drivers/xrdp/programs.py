"""xrdp and its session manager as child processes."""

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
from asyncio.subprocess import DEVNULL, STDOUT, Process
from pathlib import Path

import psutil
import structlog

from lucid.base.errors import Unavailable
from lucid.base.tasks import Tasks
from lucid.drivers.children import dying_with_parent
from lucid.ports.machine import Program

SEARCH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked for: /usr/sbin is not on everybody's PATH."""

SESMAN_PORT = 3350
"""xrdp 0.9 finds its session manager through /etc/xrdp/sesman.ini alone. Where a mount namespace of our own can
be had, both programs see our file there; otherwise this port of the file in the package has to be used."""

SESMAN_SOCKETS = ("/run/xrdp/sesman.socket", "/run/xrdp/sockdir/sesman.socket")
SESSION_SOCKETS = Path("/run/xrdp/sockdir")
_BOUND = Path("/proc/net/unix")
SETTINGS: dict[Program, str] = {"xrdp": "xrdp.ini", "xrdp-sesman": "sesman.ini"}

_TERMINATE_S = 2.0
_CONNECT_S = 1.0
_READ_BYTES = 65_536
_LINE_CHARACTERS = 300
_PRIVATE = ("--mount", "--propagation", "private")
_IN_PRIVATE = 'mount --bind "$0" /etc/xrdp/sesman.ini && exec "$@"'

_log = structlog.get_logger()


def program(name: str) -> str:
    """Path of a program. Raises Unavailable when it is not installed."""
    if (path := shutil.which(name, path=SEARCH)) is None:
        raise Unavailable(f"{name} is not installed")
    return path


@functools.cache
def private_settings() -> bool:
    """Whether programs can be given a view of /etc/xrdp of their own. In a container they usually cannot."""
    with contextlib.suppress(Unavailable):
        command = [program("unshare"), *_PRIVATE, program("true")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


def command(name: Program, folder: Path) -> list[str]:
    """What starts the program with its settings in `folder`."""
    own = [program(name), "-n", "-c", str(folder / SETTINGS[name])]
    if not private_settings():
        return own
    return [program("unshare"), *_PRIVATE, program("sh"), "-c", _IN_PRIVATE, str(folder / "sesman.ini"), *own]


def listens(name: Program, port: int) -> bool:
    """Whether the program accepts connections. Sesman does so on TCP up to xrdp 0.9 (on ::1 where there is IPv6), and
    from 0.10 on a Unix socket, whatever port is configured."""
    if name == "xrdp-sesman":
        for path in SESMAN_SOCKETS:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_CONNECT_S)
                probe.connect(path)
                return True
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=_CONNECT_S).close()
            return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end_leftovers(folder: Path) -> int:
    """Kill what an earlier run started with settings in `folder`, which its parent's death did not reach: one process
    a connection. Returns how many."""
    ours = {str(folder / name) for name in SETTINGS.values()}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() in SETTINGS and ours & set(process.cmdline()):
                process.kill()
                found.append(process)
    psutil.wait_procs(found, timeout=_TERMINATE_S)
    return len(found)


def clear_sockets(folder: Path = SESSION_SOCKETS) -> int:
    """Remove the sockets of sessions that were killed, and return how many. sesman takes each for a running X server:
    after 50 of them it has no display number left. One that a process still has is left alone: proc(5),
    /proc/net/unix."""
    bound = {line.split(maxsplit=7)[-1] for line in _BOUND.read_text().splitlines()}
    left = [path for path in folder.glob("*") if path.is_socket() and str(path) not in bound]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


class ProgramChild:
    """A running program; what it prints goes to the log at level debug."""

    def __init__(
        self, name: Program, process: Process, output: asyncio.StreamReader, pipe: asyncio.ReadTransport
    ) -> None:
        self._name = name
        self._process = process
        self._output = output
        self._pipe = pipe
        self._last_words = ""
        self._tasks = Tasks(name)
        self._tasks.spawn(self._drain(), name="output")

    @classmethod
    async def start(cls, name: Program, folder: Path) -> "ProgramChild":
        arguments = await asyncio.to_thread(command, name, folder)
        # A pipe of our own: with one of asyncio's, wait() would last until the desktops had closed it as well.
        read_end, write_end = os.pipe()
        output = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read_end, "rb")
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *dying_with_parent(*arguments),
                stdin=DEVNULL,
                stdout=write_end,
                stderr=STDOUT,
                cwd="/",
                env={"PATH": SEARCH, "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        except BaseException:
            pipe.close()
            raise
        finally:
            os.close(write_end)
        return cls(name, process, output, pipe)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_words(self) -> str:
        return self._last_words

    async def wait(self) -> int:
        return await self._process.wait()

    async def end(self) -> None:
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TERMINATE_S):
                await self._process.wait()
        self._signal(signal.SIGKILL)
        await self._process.wait()
        await self._tasks.close()
        self._pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group, which may outlive the program itself."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _drain(self) -> None:
        """Take all output, so that nothing blocks on a full pipe: programs of desktops may write to it as well, and
        lines of any length."""
        while data := await self._output.read(_READ_BYTES):
            for line in data.decode(errors="replace").splitlines():
                if text := line.strip()[:_LINE_CHARACTERS]:
                    self._last_words = text
                    _log.debug("xrdp says", program=self._name, line=text)
