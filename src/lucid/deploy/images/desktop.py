"""The root of the desktop host: a small Debian with xrdp, whose packages are installed, scripts and all.

A desktop host is no distroless image: it makes Unix accounts and runs login sessions. mmdebstrap installs it from the
same archive as the other images, without a container; for another architecture it needs QEMU (`images binfmt`).
"""

import os
from pathlib import Path

from lucid.deploy.images.packages import Suite
from lucid.deploy.images.platform import Platform
from lucid.deploy.images.process import run
from lucid.deploy.images.tarball import EPOCH_S

PACKAGES = (
    "ca-certificates",
    "fonts-dejavu-core",
    "netbase",
    "openbox",
    "passwd",
    "python3-minimal",
    "tzdata",
    "util-linux",
    "x11-utils",
    "x11-xserver-utils",
    "xauth",
    "xorgxrdp",
    "xrdp",
    "xterm",
)
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_KEPT = "/usr/share/doc/*/copyright"


def write_desktop(folder: Path, source_list: Path, suite: Suite, platform: Platform) -> Path:
    """Install it to `desktop.tar` in `folder`. Raises Unavailable."""
    path = folder / "desktop.tar"
    partial = path.with_name("desktop.partial.tar")
    packages = (*PACKAGES, f"libpython{suite.python}-stdlib")
    run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--architectures={platform.arch}"),
            "--skip=check/qemu",  # which wants a package of its own; without QEMU the first script fails
            f"--include={','.join(packages)}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
            f"--dpkgopt=path-include={_KEPT}",
            # Keys of a host that all installations would share are no keys: each container makes its own.
            '--customize-hook=rm -f "$1"/etc/xrdp/rsakeys.ini "$1"/etc/xrdp/key.pem "$1"/etc/xrdp/cert.pem',
            '--customize-hook=rm -rf "$1"/etc/ssl/private/* "$1"/etc/ssl/certs/ssl-cert-snakeoil.pem',
            '--customize-hook=rm -f "$1"/etc/machine-id',
            *(suite.name, str(partial), str(source_list)),
        ],
        about=f"the desktop host for {platform.docker}",
        environment={"SOURCE_DATE_EPOCH": str(EPOCH_S), "PATH": f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"},
    )
    partial.replace(path)
    return path
