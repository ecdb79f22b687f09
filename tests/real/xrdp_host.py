"""A real desktop host: Debian's xrdp, sesman, Xorg, openbox and xterm, without systemd, for one test run.

Settings, accounts and commands are those of rdp-xrdp and its driver, without the supervision.
"""

import contextlib
import fcntl
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lucid.base.secret import Secret
from lucid.crypto.certificate import self_signed
from lucid.drivers.xrdp import accounts, programs
from lucid.services.rdp_xrdp import config
from lucid.services.rdp_xrdp.settings import RdpXrdpSettings

STARTUP = """#!/bin/sh
xsetroot -solid '#204060'
exec openbox --startup "sh -c 'xterm -geometry 80x24+40+40 -title desktop & xclock -geometry 160x160-40+40'"
"""


@dataclass(frozen=True)
class XrdpHost:
    """A running host and the one account on it. `log` is xrdp's own log file."""

    address: str
    port: int
    username: str
    password: str
    log: Path


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 20.0) -> None:
    """Return once `condition` holds. Raises TimeoutError that names `what`."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} within {limit_s:g} s")
        time.sleep(0.05)


def free_port() -> int:
    return programs.free_port()


def listening(port: int) -> bool:
    """Whether something accepts on this machine's loopback."""
    return programs.listens("xrdp", port)


@contextlib.contextmanager
def child(
    arguments: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process with its output in `log`, terminated (then killed) at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def throw_away_user(group: str, startup: str) -> Iterator[tuple[str, str]]:
    """A desktop account with a random name and password that lives as long as the context; so do its processes."""
    name, password = f"lucid-{secrets.token_hex(3)}", secrets.token_urlsafe(18)
    accounts.create(group, name, Path("/home", name), Path("/etc/skel"))
    try:
        accounts.set_password(group, name, Secret(password))
        script = Path("/home", name, "startwm.sh")
        script.write_text(startup)
        script.chmod(0o755)
        yield name, password
    finally:
        accounts.remove(group, name)
        subprocess.run(["groupdel", group], check=True)


def configure(folder: Path, group: str, port: int, sesman_port: int) -> None:
    """The settings of rdp-xrdp in `folder`, logging into it; `port` is on the loopback address."""
    texts = config.files(
        RdpXrdpSettings(group=group),
        folder=str(folder),
        port=port,
        sesman_port=sesman_port,
        certificate=self_signed("desktop").decode(),
    )
    for name, (text, _) in texts.items():
        (folder / name).write_text(text.replace("/dev/stderr", str(folder / Path(name).with_suffix(".log"))))


@contextlib.contextmanager
def running_xrdp(folder: Path, startup: str = STARTUP) -> Iterator[XrdpHost]:
    """Start the host with its files in `folder`; everything is ended and removed at the end. Needs root."""
    programs_folder = Path("/run/xrdp")
    programs_folder.mkdir(exist_ok=True)
    shutil.chown(programs_folder, "xrdp", "xrdp")
    programs.clear_sockets()
    private = programs.private_settings()
    port, sesman_port = free_port(), free_port() if private else programs.SESMAN_PORT
    group = f"lucid-t{secrets.token_hex(3)}"
    configure(folder, group, port, sesman_port)
    with contextlib.ExitStack() as stack:
        if not private:
            # One test run at a time has the port of the package.
            lock = stack.enter_context((programs_folder / "lucid-tests.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        username, password = stack.enter_context(throw_away_user(group, startup))
        stack.enter_context(child(programs.command("xrdp-sesman", folder), folder / "sesman.out"))
        wait_for(lambda: programs.listens("xrdp-sesman", sesman_port), "sesman listens")
        stack.enter_context(child(programs.command("xrdp", folder), folder / "xrdp.out"))
        wait_for(lambda: listening(port), "xrdp listens")
        yield XrdpHost("127.0.0.1", port, username, password, folder / "xrdp.log")
