"""Checks of what a program in the container sees (probes/container.py), and of the shell that must not be there."""

from collections.abc import Iterator
from typing import Any

from lucid.deploy.launch.checks import Check, Seen, differs
from lucid.deploy.launch.expected import Expected

ROOT = "0"
INIT = "docker-init"
NO_SHELL = "executable file not found"
# Their order is that of their bits: linux/capability.h.
_CAPABILITIES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
    SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
    MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""


def identity(expected: Expected, seen: Seen) -> Iterator[str]:
    """Real, effective, saved and file system ids (proc(5)). The service itself stands behind the engine's init. Where
    it is root, it runs others' programs too."""
    user, group = expected.user.split(":")
    processes = _processes(seen)
    if not any(process["Name"] != INIT for process in processes):
        yield "no process of the service was seen"
    for process in processes:
        if user == ROOT and process["pid"] != 1:
            continue
        yield from differs(f"user of {_named(process)}", " ".join([user] * 4), _words(process["Uid"]))
        yield from differs(f"group of {_named(process)}", " ".join([group] * 4), _words(process["Gid"]))


def capabilities(expected: Expected, seen: Seen) -> Iterator[str]:
    """In effect, and what a program could get (the bounding set)."""
    for process in _processes(seen):
        for which in ("CapEff", "CapBnd"):
            if more := capability_names(int(process[which], 16)) - expected.capabilities:
                yield f"{which} of {_named(process)}: {', '.join(sorted(more))}"


def no_new_privileges(_expected: Expected, seen: Seen) -> Iterator[str]:
    for process in _processes(seen):
        yield from differs(f"NoNewPrivs of {_named(process)}", "1", process["NoNewPrivs"])


def seccomp(expected: Expected, seen: Seen) -> Iterator[str]:
    for process in _processes(seen):
        yield from differs(f"Seccomp of {_named(process)}", str(expected.seccomp), process["Seccomp"])


def no_write(expected: Expected, seen: Seen) -> Iterator[str]:
    """The file system refuses (EROFS), not the folder's mode: that would let root write."""
    if expected.read_only:
        yield from differs("writing to /", "EROFS", seen.inside["written"] or "a file was written")


def no_shell(expected: Expected, seen: Seen) -> Iterator[str]:
    status, said = seen.shell
    if not expected.shell and (status == 0 or NO_SHELL not in said):
        yield f"sh: expected {NO_SHELL!r}, found exit status {status}, {said.strip().splitlines()[-1:] or 'silence'}"


CHECKS = (
    Check("identity", "every process is of the declared user", identity),
    Check("capabilities", "no process has, or can get, one that is not declared", capabilities),
    Check("no-new-privileges", "no process can gain privileges", no_new_privileges),
    Check("seccomp", "system calls are filtered", seccomp),
    Check("no-write", "writing to the root fails", no_write),
    Check("no-shell", "there is no shell to start", no_shell),
)


def capability_names(mask: int) -> frozenset[str]:
    """Bits that have no name here are named by their number."""
    known = dict(enumerate(_CAPABILITIES.split()))
    return frozenset(known.get(bit, str(bit)) for bit in range(mask.bit_length()) if mask >> bit & 1)


def _processes(seen: Seen) -> list[dict[str, Any]]:
    return list(seen.inside.get("processes", ()))


def _named(process: dict[str, Any]) -> str:
    return f"{process['Name']} ({process['pid']})"


def _words(text: str) -> str:
    return " ".join(text.split())
