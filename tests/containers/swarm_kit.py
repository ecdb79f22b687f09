"""Two machines of a Swarm on this one: an engine each, in namespaces of its own, with a cable between them.

All processes of an engine and its containers are in one PID namespace, and its mounts in one mount namespace. Both go
when its first process is killed, which the kernel does when the test run ends, in whatever way. What then stays, names
and folders, has fixed names, and is cleared before the next run too.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lucid.deploy.images.build import docker
from tests.containers.terminal import wait_for

DOCKERD = "/usr/sbin/dockerd"
ENGINES = Path(tempfile.gettempdir(), "lucid-test-swarm")
NAMESPACES = Path("/run/netns")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """One engine, with data, socket, processes and network of its own; disks and kernel are shared."""

    name: str
    address: str

    @property
    def folder(self) -> Path:
        return ENGINES / self.name

    @property
    def host(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.folder}/sock"

    def docker(self, *arguments: str, limit_s: float = 120.0) -> str:
        """What the command writes. It has to succeed."""
        done = self.tried(*arguments, limit_s=limit_s)
        assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"
        return done.stdout.strip()

    def tried(self, *arguments: str, limit_s: float = 120.0) -> "subprocess.CompletedProcess[str]":
        argv = (docker(), "--host", self.host, *arguments)
        return subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False)

    def ends(self, since: float) -> list[str]:
        """Exit status and name of each container that has ended since that time."""
        form = "{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.name}}"
        until = ("--since", f"{since:.3f}", "--until", f"{time.time():.3f}")
        return self.docker("events", *until, "--filter", "event=die", "--format", form).splitlines()

    def python(self, program: str, given: str, limit_s: float = 60.0) -> str:
        """What a program writes that runs on this machine, outside of containers."""
        argv = (*self._inside(), sys.executable, "-c", program)
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=limit_s, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def _inside(self) -> tuple[str, ...]:
        return "nsenter", f"--net={NAMESPACES / self.name}"

    @contextmanager
    def running(self, *options: str) -> Iterator[None]:
        """The engine. It is killed with all that it runs: nothing there is worth an orderly end."""
        folders = ("--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec")
        files = ("--pidfile", f"{self.folder}/pid", "--host", self.host)
        # A containerd of the whole machine, if there is one, is shared with the engine that is in use.
        names = ("--containerd-namespace", self.name, "--containerd-plugins-namespace", f"{self.name}-plugins")
        engine = (DOCKERD, *folders, *files, *names, "--cgroup-parent", f"/{self.name}", *options)
        own = ("unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child")
        named = ("sh", "-c", 'hostname "$0" && exec "$@"', self.name)
        argv = (*self._inside(), "setpriv", "--pdeathsig", "KILL", *own, *named, *engine)
        self.folder.mkdir(parents=True)
        with (self.folder / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
            try:
                yield
            finally:
                process.kill()


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Connected with each other and with nothing else. The second one's engine has no-new-privileges as its default."""
    one, two = (Machine(f"lucid-test-{number}", f"192.168.231.{number}") for number in (1, 2))
    with ExitStack() as stack:
        for machine in (one, two):
            _clear(machine)
            stack.callback(_clear, machine)
            run("ip", "netns", "add", machine.name)
        cable = ("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", two.name)
        run("ip", "-netns", one.name, *cable)
        for machine in (one, two):
            run("ip", "-netns", machine.name, "address", "add", f"{machine.address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                run("ip", "-netns", machine.name, "link", "set", link, "up")
        stack.enter_context(one.running())
        stack.enter_context(two.running("--no-new-privileges"))
        wait_for(lambda: all(machine.tried("version").returncode == 0 for machine in (one, two)), "both engines", 30)
        one.docker("swarm", "init", "--autolock", "--advertise-addr", one.address)
        token = one.docker("swarm", "join-token", "--quiet", "worker")
        two.docker("swarm", "join", "--token", token, one.address)
        yield one, two


def _clear(machine: Machine) -> None:
    """What outlives its processes."""
    wait_for(lambda: not _cgroups(machine), f"the end of {machine.name}", 30)
    if (NAMESPACES / machine.name).exists():
        run("ip", "netns", "delete", machine.name)
    if machine.folder.exists():
        shutil.rmtree(machine.folder)


def _cgroups(machine: Machine) -> list[Path]:
    """Those that cannot be removed yet, as processes are in them."""
    left = []
    for parent in (CGROUPS, *CGROUPS.iterdir()):
        for name, _, _ in os.walk(parent / machine.name, topdown=False):
            folder = Path(name)
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                left.append(folder)
    return left


def load(images: Sequence[str], machine: Machine) -> Callable[[], None]:
    """Begin to bring images of this machine's engine to another one; the answer waits for the end of it."""
    source = subprocess.Popen([docker(), "save", *images], stdout=subprocess.PIPE)
    target = subprocess.Popen(
        [docker(), "--host", machine.host, "load", "--quiet"], stdin=source.stdout, stdout=subprocess.DEVNULL
    )
    assert source.stdout is not None
    source.stdout.close()

    def end() -> None:
        assert (source.wait(300), target.wait(300)) == (0, 0)

    return end


def run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
