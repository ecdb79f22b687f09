"""The roots of images, assembled from Debian packages: what Google's distroless images are, made here.

Packages are unpacked and never run: so an image for another architecture is assembled as fast as one for this
machine's, no script leaves anything behind, and the same packages give the same bytes.
"""

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lucid.base.errors import Unavailable
from lucid.deploy.images.debian import Apt
from lucid.deploy.images.packages import DROPPED, Part, Suite
from lucid.deploy.images.platform import Platform
from lucid.deploy.images.tarball import MERGED, Tree

NONROOT = 65_532

_DPKG_DEB = "dpkg-deb"
_USERS = f"""\
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin
"""
_GROUPS = f"root:x:0:\ntty:x:5:\nnobody:x:65534:\nnonroot:x:{NONROOT}:\n"
_LEFT_OUT = (
    "etc/init.d/",
    "etc/logrotate.d/",
    "lib/systemd/",
    "usr/lib/systemd/",
    "usr/lib/tmpfiles.d/",
    "usr/share/bash-completion/",
    "usr/share/bug/",
    "usr/share/debconf/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/menu/",
    "usr/share/pixmaps/",
)
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_AUTHORITIES = "usr/share/ca-certificates/mozilla/"


def _useful(path: str) -> bool:
    """Documentation is left out, but for licences, which have to go with the programs."""
    if path.startswith("usr/share/doc/"):
        return path.endswith("/copyright")
    return not path.startswith(_LEFT_OUT)


def _dpkg_deb(*argv: str) -> bytes:
    try:
        return subprocess.run([_DPKG_DEB, *argv], capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise Unavailable("dpkg-deb is not installed: images are assembled on Debian or a system like it") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"dpkg-deb {argv[-1]}: {error.stderr.decode(errors='replace').strip()}") from None


def unpacked(debs: Iterable[Path]) -> Tree:
    """What the packages hold, with the record of them that scanners of images read."""
    tree = Tree()
    for deb in debs:
        tree.add_tar(_dpkg_deb("--fsys-tarfile", str(deb)), _useful)
        control = _dpkg_deb("--field", str(deb))
        name = _dpkg_deb("--field", str(deb), "Package").decode().strip()
        tree.add_file(f"var/lib/dpkg/status.d/{name}", control)
    return tree


def furnished(tree: Tree, suite: Suite) -> Tree:
    """Add what the scripts of the packages would have made: users, certificates, links, and folders to write to."""
    for name, target in MERGED.items():
        tree.add_link(name, target)
    tree.add_file("etc/passwd", _USERS.encode())
    tree.add_file("etc/group", _GROUPS.encode())
    tree.add_file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    tree.add_folder("tmp", mode=0o1777)
    tree.add_folder("var/tmp", mode=0o1777)
    tree.add_folder("root", mode=0o700)
    tree.add_folder("home/nonroot", mode=0o700, owner=NONROOT)
    tree.add_link("usr/bin/python3", f"python{suite.python}")
    tree.add_link("usr/bin/python", f"python{suite.python}")
    authorities = sorted(path for path in tree.members if path.startswith(_AUTHORITIES) and path.endswith(".crt"))
    tree.add_file(_BUNDLE, b"".join(tree.members.pop(path)[1] for path in authorities))
    return tree


class Assembler:
    """Makes the tars that images begin with, for one release and platform. `folder` keeps what was downloaded."""

    def __init__(self, folder: Path, suite: Suite, platform: Platform) -> None:
        self._folder = folder / f"{suite.name}-{platform.arch}"
        self._suite = suite
        self._platform = platform
        self._apt = Apt(self._folder / "apt", suite.name, platform.arch)
        self._base_packages: tuple[str, ...] = ()
        self._base_debs: tuple[Path, ...] = ()
        self._base: Tree | None = None

    @property
    def folder(self) -> Path:
        """Where the tars are: `base.tar`, `redis.tar` ..."""
        return self._folder

    @property
    def source_list(self) -> Path:
        return self._apt.source_list

    def update(self) -> None:
        self._apt.update()
        self._base_packages = self._apt.closure(self._suite.wanted("base"), DROPPED)
        self._base_debs, self._base = self._apt.download(self._base_packages), None

    def write(self, part: Part) -> Path:
        """Assemble a part, unless it is there and was made of the same packages by the same code. Raises Unavailable
        when the archive cannot be read."""
        if not self._base_debs:
            self.update()
        path, debs = self._folder / f"{part}.tar", self._base_debs
        if part != "base":
            dropped = DROPPED.union(self._base_packages)
            debs = self._apt.download(self._apt.closure(self._suite.wanted(part), dropped))
        note, state = path.with_suffix(".made"), _state(dict.fromkeys((*debs, *self._base_debs)))
        if path.is_file() and note.is_file() and note.read_text() == f"{state} {path.stat().st_size}\n":
            return path
        if self._base is None:
            self._base = furnished(unpacked(self._base_debs), self._suite)
        tree = self._base if part == "base" else self._added(unpacked(debs), part).without(self._base)
        tree.write(path)
        note.write_text(f"{state} {path.stat().st_size}\n")
        return path

    def _added(self, tree: Tree, part: Part) -> Tree:
        if part == "java":
            home = f"../lib/jvm/java-17-openjdk-{self._platform.arch}"
            tree.add_link("usr/bin/java", f"{home}/bin/java")
        return tree


def _state(debs: Iterable[Path]) -> str:
    """A digest of the packages, by their names and sizes, and of the code that unpacks them."""
    whole = hashlib.sha256()
    for path in debs:
        whole.update(f"{path.name} {path.stat().st_size}\n".encode())
    for name in ("rootfs.py", "tarball.py"):
        whole.update(Path(__file__).with_name(name).read_bytes())
    return whole.hexdigest()
