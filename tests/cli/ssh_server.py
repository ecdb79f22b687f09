"""A real sshd on this machine, at a port and with keys of its own, into which only the test's user comes."""

import contextlib
import getpass
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"
_RUN = Path("/run/sshd")


@dataclass(frozen=True)
class Server:
    """Where it is, and the client's command that knows its key."""

    address: str
    ssh: str


@contextlib.contextmanager
def ssh_server(folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """`environment` is what commands see there."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = " ".join(f'"{name}={value}"' for name, value in environment.items())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        "PidFile none\nUsePAM no\nPermitRootLogin yes\nStrictModes no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nSetEnv {told}\n"
    )
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "ssh_config").write_text(
        f"Host *\nIdentityFile {folder}/user\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n"
        "BatchMode yes\nLogLevel ERROR\n"
    )
    if os.geteuid() == 0:
        _RUN.mkdir(mode=0o755, exist_ok=True)
    argv = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("listening on" in line for line in process.stderr), "sshd did not start"
        try:
            ssh = f"ssh -F {shlex.quote(str(folder / 'ssh_config'))}"
            yield Server(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", ssh)
        finally:
            process.terminate()
