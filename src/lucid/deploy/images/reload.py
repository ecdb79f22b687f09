"""Live reload in development containers: `python3 -m lucid.deploy.images.reload FOLDER COMMAND...`.

It starts the command again whenever a Python file below the folder has changed. It looks at the files' times, since
events of a mounted folder do not reach a container on every system.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

LOOK_S = 1.0
TERMINATE_S = 10.0


def times(folder: Path) -> dict[Path, int]:
    """When each module was changed, in ns. What goes away meanwhile is left out."""
    found = {}
    for path in folder.rglob("*.py"):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(TERMINATE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(folder: Path, command: list[str]) -> int:
    """Run until a signal. A command that ends by itself is started again at the next change."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        seen = times(folder)
        process = subprocess.Popen(command)
        try:
            while times(folder) == seen:
                time.sleep(LOOK_S)
        finally:
            end(process)
        sys.stdout.write("sources have changed: starting again\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} FOLDER COMMAND...")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
