"""The machine under the built-in desktop host (port DesktopMachine)."""

import asyncio
import fcntl
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import structlog

from lucid.base.errors import Unavailable
from lucid.base.secret import Secret
from lucid.drivers.xrdp import accounts, programs
from lucid.ports.machine import AccountUse, Child, Program

RUN = Path("/run")
SOCKETS = RUN / "xrdp"
RSA_KEYS = Path("/etc/xrdp/rsakeys.ini")
"""For RDP's own encryption, which is never used here; xrdp does not start without. The package makes it when it is
installed, an image leaves it out because all its containers would share it."""
XORG_MODULE = Path("/usr/lib/xorg/modules/libxorgxrdp.so")
_TOOLS = ("xrdp", "xrdp-sesman", "Xorg", "useradd", "usermod", "userdel", "groupadd", "chpasswd")

_log = structlog.get_logger()


class XrdpMachine:
    """Debian's xrdp 0.9 or 0.10. Run folders are below `run`."""

    def __init__(self, run: Path = RUN) -> None:
        self._run = run
        self._lock: IO[bytes] | None = None

    async def obstacle(self) -> str:
        return await asyncio.to_thread(_obstacle)

    async def prepare(self, *, group: str) -> str:
        folder = self._run / group
        await asyncio.to_thread(self._prepare, group, folder)
        return str(folder)

    def _prepare(self, group: str, folder: Path) -> None:
        self._own(folder.with_suffix(".lock"))
        accounts.make_group(group)
        if ended := programs.end_leftovers(folder):
            _log.warning("ended what an earlier run left", processes=ended, folder=str(folder))
        for user in accounts.members(group):
            accounts.end_processes(group, user)
        programs.clear_sockets()
        if not RSA_KEYS.exists():
            accounts.run("xrdp-keygen", "xrdp", str(RSA_KEYS))
        try:
            # Made here because no init system does it; the programs run as root until they have logged somebody in.
            SOCKETS.mkdir(exist_ok=True)
            shutil.chown(SOCKETS, "xrdp", "xrdp")
            folder.mkdir(mode=0o755, exist_ok=True)
        except (OSError, LookupError) as error:
            raise Unavailable(f"run folder of xrdp: {error}") from None

    def _own(self, path: Path) -> None:
        """The group's accounts and processes belong to one process. Raises Unavailable when that is another."""
        if self._lock is not None:
            return
        lock = path.open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Unavailable(f"another installation on this machine uses the group {path.stem}") from None
        self._lock = lock

    async def write(self, *, folder: str, files: Mapping[str, tuple[str, int]]) -> None:
        await asyncio.to_thread(_write, Path(folder), files)

    async def clear(self, *, folder: str) -> None:
        await asyncio.to_thread(self._clear, Path(folder))

    def _clear(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if self._lock is not None:
            Path(self._lock.name).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    async def free_port(self) -> int:
        return programs.free_port()

    async def sesman_port(self) -> int:
        private = await asyncio.to_thread(programs.private_settings)
        return programs.free_port() if private else programs.SESMAN_PORT

    async def launch(self, *, program: Program, folder: str) -> Child:
        return await programs.ProgramChild.start(program, Path(folder))

    async def listens(self, *, program: Program, port: int) -> bool:
        return await asyncio.to_thread(programs.listens, program, port)

    async def create_account(self, *, group: str, user: str, home: str, skeleton: str) -> None:
        await asyncio.to_thread(accounts.create, group, user, Path(home), Path(skeleton))

    async def set_password(self, *, group: str, user: str, password: Secret) -> None:
        await asyncio.to_thread(accounts.set_password, group, user, password)

    async def remove_account(self, *, group: str, user: str) -> None:
        await asyncio.to_thread(accounts.remove, group, user)

    async def renew_home(self, *, group: str, user: str, skeleton: str) -> None:
        await asyncio.to_thread(accounts.renew_home, group, user, Path(skeleton))

    async def end_processes(self, *, group: str, user: str) -> bool:
        return await asyncio.to_thread(accounts.end_processes, group, user)

    async def accounts(self, *, group: str) -> list[AccountUse]:
        return await asyncio.to_thread(accounts.uses, group)


def _obstacle() -> str:
    if sys.platform != "linux":
        return "xrdp runs on Linux"
    for name in _TOOLS:
        try:
            programs.program(name)
        except Unavailable as error:
            return f"{error.detail}: apt-get install xrdp xorgxrdp"
    if not XORG_MODULE.exists():
        return "xorgxrdp is not installed: apt-get install xorgxrdp"
    return "" if os.geteuid() == 0 else "creating Unix accounts takes root"


def _write(folder: Path, files: Mapping[str, tuple[str, int]]) -> None:
    try:
        for name, (text, mode) in files.items():
            path = folder / name
            path.unlink(missing_ok=True)
            # Never readable to others, not even for a moment, unless it is meant to be.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            path.chmod(mode)
    except OSError as error:
        raise Unavailable(f"run folder of xrdp: {error.strerror}: {error.filename}") from None
