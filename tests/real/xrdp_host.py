"""A real desktop host: Debian's xrdp, sesman, Xorg, openbox and xterm, without systemd, for one test run."""

import contextlib
import fcntl
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SESMAN_PORT = 3350
"""xrdp 0.9 finds its session manager through /etc/xrdp/sesman.ini alone. Where a mount namespace of our own can
be had, both see our file there; otherwise this port of Debian's is used, by one test run at a time."""

SESMAN_SOCKETS = ("/run/xrdp/sesman.socket", "/run/xrdp/sockdir/sesman.socket")

PRIVATE_SETTINGS = ("unshare", "--mount", "--propagation", "private")
IN_PRIVATE = (*PRIVATE_SETTINGS, "sh", "-c", 'mount --bind "$0" /etc/xrdp/sesman.ini && exec "$@"')

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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether something accepts on this machine's loopback; sesman takes ::1 where there is IPv6."""
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=1).close()
            return True
    return False


def sesman_listens(port: int) -> bool:
    """Whether sesman accepts: on TCP up to xrdp 0.9, on a Unix socket from 0.10 on, whatever port is configured."""
    for path in SESMAN_SOCKETS:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(path)
            return True
    return listening(port)


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


def run(*arguments: str, text: str | None = None) -> None:
    subprocess.run(arguments, check=True, input=text, text=True, capture_output=True)


@contextlib.contextmanager
def throw_away_user(startup: str) -> Iterator[tuple[str, str]]:
    """A system account with a random name and password that lives as long as the context; so do its processes."""
    name, password = f"lucid-{secrets.token_hex(3)}", secrets.token_urlsafe(18)
    run("useradd", "--create-home", "--shell", "/bin/bash", name)
    try:
        run("chpasswd", text=f"{name}:{password}\n")
        account = pwd.getpwnam(name)
        script = Path(account.pw_dir) / "startwm.sh"
        script.write_text(startup)
        script.chmod(0o755)
        yield name, password
    finally:
        end_processes_of(name)
        run("userdel", "--remove", "--force", name)


def end_processes_of(user: str) -> None:
    """End all that runs under the account."""

    def gone() -> bool:
        return subprocess.run(["pgrep", "-u", user], capture_output=True).returncode != 0

    subprocess.run(["pkill", "-TERM", "-u", user], check=False)
    with contextlib.suppress(TimeoutError):
        wait_for(gone, "processes end", 5.0)
    subprocess.run(["pkill", "-KILL", "-u", user], check=False)
    wait_for(gone, "processes are gone", 5.0)


def configure(folder: Path, port: int, sesman_port: int) -> None:
    """Copies of Debian's settings that log into `folder`; `port` is on the loopback address."""
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=desktop",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))  # fmt: skip
    ours = {
        "port=3389": f"port=tcp://127.0.0.1:{port}",
        f"ListenPort={SESMAN_PORT}": f"ListenPort={sesman_port}",
        "certificate=": f"certificate={folder}/cert.pem",
        "key_file=": f"key_file={folder}/key.pem",
        "LogFile=xrdp.log": f"LogFile={folder}/xrdp.log",
        "LogFile=xrdp-sesman.log": f"LogFile={folder}/sesman.log",
        "EnableSyslog=true": "EnableSyslog=false",
    }
    for name in ("xrdp.ini", "sesman.ini"):
        lines = Path("/etc/xrdp", name).read_text().splitlines()
        (folder / name).write_text("\n".join(ours.get(line, line) for line in lines) + "\n")


@contextlib.contextmanager
def running_xrdp(folder: Path, startup: str = STARTUP) -> Iterator[XrdpHost]:
    """Start the host with its files in `folder`; everything is ended and removed at the end. Needs root."""
    sockets = Path("/run/xrdp")
    sockets.mkdir(exist_ok=True)
    shutil.chown(sockets, "xrdp", "xrdp")
    private = subprocess.run([*PRIVATE_SETTINGS, "true"], capture_output=True).returncode == 0
    port, sesman_port = free_port(), free_port() if private else SESMAN_PORT
    prefix = [*IN_PRIVATE, str(folder / "sesman.ini")] if private else []
    configure(folder, port, sesman_port)
    with contextlib.ExitStack() as stack:
        if not private:
            lock = stack.enter_context((sockets / "lucid-tests.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        username, password = stack.enter_context(throw_away_user(startup))
        if private or not sesman_listens(SESMAN_PORT):
            sesman = [*prefix, "xrdp-sesman", "-n", "-c", str(folder / "sesman.ini")]
            stack.enter_context(child(sesman, folder / "sesman.out"))
            wait_for(lambda: sesman_listens(sesman_port), "sesman listens")
        xrdp = [*prefix, "xrdp", "-n", "-c", str(folder / "xrdp.ini")]
        stack.enter_context(child(xrdp, folder / "xrdp.out"))
        wait_for(lambda: listening(port), "xrdp listens")
        yield XrdpHost("127.0.0.1", port, username, password, folder / "xrdp.log")
