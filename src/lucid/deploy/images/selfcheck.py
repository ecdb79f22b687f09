"""What an image promises, checked from within: `python3 selfcheck.py watch`, in the containers of the base images.

It needs nothing but Python: each check gives the reason why it fails, or nothing. `watch` repeats the checks and serves
their results on port 8080; `probe` asks it, as the container's health check; `once` prints them and ends.
"""

import argparse
import ctypes
import http.client
import http.server
import importlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import zoneinfo
from collections.abc import Callable
from pathlib import Path

PORT = 8080
REPEAT_S = 30
LIMIT_S = 5
NONROOT = 65_532
MODULES = ("asyncio", "ctypes", "hashlib", "lzma", "sqlite3", "ssl", "uuid", "zlib")
SHELLS = ("ash", "bash", "busybox", "dash", "sh", "zsh")
PR_GET_NO_NEW_PRIVS = 39
"""Of prctl(2)."""


def identity() -> str:
    own = (os.getuid(), os.getgid())
    return "" if own == (NONROOT, NONROOT) else f"expected user and group {NONROOT}, not {own}"


def no_shell() -> str:
    found = [path for name in SHELLS if (path := shutil.which(name, path="/bin:/usr/bin:/usr/local/bin"))]
    return f"a shell: {found[0]}" if found else ""


def read_only_root() -> str:
    return "the root can be written to" if not os.statvfs("/").f_flag & os.ST_RDONLY else ""


def no_capability() -> str:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    held = {name: status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd") if int(status[name], 16)}
    return f"capabilities: {held}" if held else ""


def no_new_privileges() -> str:
    return "" if ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 else "a program could gain privileges"


def temporary_files() -> str:
    """They can be written, and what is written cannot be run."""
    path = Path("/tmp/selfcheck")  # noqa: S108 - the container's own
    path.write_text("#!/usr/bin/python3\n")
    path.chmod(0o700)
    runnable = os.access(path, os.X_OK)
    path.unlink()
    return "a program in /tmp could be run" if runnable else ""


def modules() -> str:
    """Of the standard library, those that need a library of the system."""
    for name in MODULES:
        importlib.import_module(name)
    return ""


def authorities() -> str:
    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    return "" if count > 50 else f"only {count} certificate authorities"


def time_zones() -> str:
    zoneinfo.ZoneInfo("Europe/Berlin")
    return ""


def bytecode() -> str:
    """A read-only root could not keep what Python would compile at each start."""
    compiled = importlib.util.cache_from_source(json.__file__)
    return "" if Path(compiled).is_file() else "the standard library is not compiled"


def memory() -> str:
    """What this process has for itself stays within half of the least that a container gets."""
    kib = int(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line))
    return "" if kib < 24 * 1024 else f"{kib} KiB are in use"


def arm64() -> str:
    return "" if platform.machine() == "aarch64" else f"expected aarch64, not {platform.machine()}"


def java() -> str:
    done = subprocess.run(["/usr/bin/java", "-Xmx32m", "-version"], capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 else done.stderr.strip()


def services() -> str:
    """The code of every service, with all that it imports, is there."""
    catalog = importlib.import_module("lucid.catalog.services")
    for service in catalog.SERVICES:
        importlib.import_module(service.entry.partition(":")[0])
    return ""


def freerdp() -> str:
    ctypes.CDLL("libfreerdp2.so.2")
    return ""


HARDENED = (identity, no_shell, read_only_root, no_capability, no_new_privileges, temporary_files)
PYTHON = (modules, authorities, time_zones, bytecode)
PROFILES: dict[str, tuple[Callable[[], str], ...]] = {
    "base": (*HARDENED, *PYTHON),
    "minimal": (*HARDENED, *PYTHON, memory),
    "arm64": (*HARDENED, *PYTHON, arm64),
    "java": (*HARDENED, *PYTHON, java),
    "service": (*HARDENED, *PYTHON, services),
    "gateway": (*HARDENED, *PYTHON, services, freerdp),
}


def peer(name: str) -> str:
    """Another container of the network answers under its name."""
    connection = http.client.HTTPConnection(name, PORT, timeout=LIMIT_S)
    try:
        connection.request("GET", "/health")
        return "" if connection.getresponse().status == http.client.OK else f"{name} is not well"
    finally:
        connection.close()


def results(profile: str, peers: list[str]) -> dict[str, str]:
    """Each check with why it fails, or nothing."""
    found = {}
    named: dict[str, Callable[[], str]] = {check.__name__: check for check in PROFILES[profile]}
    named |= {f"peer {name}": lambda name=name: peer(name) for name in peers}  # type: ignore[misc]
    for name, check in named.items():
        try:
            found[name] = check()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a check is its result
            found[name] = f"{type(error).__name__}: {error}"
    return found


class Watch:
    """Repeats the checks and serves their results: `/ready` is 200 when none fails, `/health` whenever it runs."""

    def __init__(self, profile: str, peers: list[str]) -> None:
        self._profile = profile
        self._peers = peers
        self.results: dict[str, str] = {"start": "the checks have not been run yet"}

    def run(self, stop: threading.Event) -> None:
        watch = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                failed = any(watch.results.values()) and self.path == "/ready"
                body = json.dumps(watch.results).encode()
                self.send_response(503 if failed else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a health check every few seconds is no news."""

        server = http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Handler)  # noqa: S104 - the container's address
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while not stop.is_set():
            self.results = results(self._profile, self._peers)
            failed = {name: reason for name, reason in self.results.items() if reason}
            _say({"event": "selfcheck", "profile": self._profile, "checks": len(self.results), "failed": failed})
            stop.wait(2 if failed else REPEAT_S)  # a peer may still be starting
        server.shutdown()


def probe() -> int:
    """Exit status 0 when the watch of this container says that all is well."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT_S)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        _say(json.loads(answer.read()))
        return 0 if answer.status == http.client.OK else 1
    except OSError as error:
        _say({"error": str(error)})
        return 1
    finally:
        connection.close()


def _say(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **value}) + "\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("once", "probe", "watch"))
    parser.add_argument("--profile", choices=sorted(PROFILES), default="base")
    parser.add_argument("--peer", action="append", default=[], help="a container that must answer too")
    given = parser.parse_args(argv)
    if given.what == "probe":
        return probe()
    if given.what == "once":
        found = results(given.profile, given.peer)
        _say(dict(found))
        return 1 if any(found.values()) else 0
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    Watch(given.profile, given.peer).run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
