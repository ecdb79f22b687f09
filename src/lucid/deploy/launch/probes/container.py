"""What a container is, seen from within: its processes, and whether its root can be written to."""

import contextlib
import errno
import json
import os
import sys
import time
from pathlib import Path

WANTED = ("Name", "Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
MARK = "/.lucid-verify"

STARTING = "runc:["
"""How the engine's runtime is called within a container until it is the program that it starts, a health check say: it
has its own identity and capabilities until then."""

START_LIMIT_S = 5.0


def processes(proc: Path, start_limit_s: float = START_LIMIT_S) -> list[dict[str, object]]:
    """All but this one, each as the program that it is. What cannot be read of one, because it is another user's, is
    left out."""
    found = []
    end = time.monotonic() + start_limit_s
    for folder in sorted(proc.glob("[0-9]*"), key=lambda each: int(each.name)):
        if folder.name == str(os.getpid()):
            continue
        # A process may end while it is looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = status_of(folder)
            while status["Name"].startswith(STARTING) and time.monotonic() < end:
                time.sleep(0.01)
                status = status_of(folder)
            texts = {name: strings(folder / name) for name in ("cmdline", "environ")}
            found.append({"pid": int(folder.name), **status, **texts})
    return found


def status_of(folder: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in (folder / "status").read_text().splitlines())
    return {name: value.strip() for name, _, value in lines if name in WANTED}


def strings(path: Path) -> list[str]:
    """The strings that a file of /proc holds, each ended by a zero."""
    try:
        return path.read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except PermissionError:
        return []


def written(path: str) -> str:
    """What became of writing a file there: empty if it could be written, else the error's name."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    Path(path).unlink()
    return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"processes": processes(Path("/proc")), "written": written(MARK)}))
