"""File trees as tar files whose bytes depend on nothing but the tree."""

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

EPOCH_S = 1_700_000_000
"""Modification time of every file: as good as any, but the same."""

MERGED = {"bin": "usr/bin", "lib": "usr/lib", "lib32": "usr/lib32", "lib64": "usr/lib64", "sbin": "usr/sbin"}
"""Folders of the root that are links into /usr, as on every Debian since 12."""


@dataclass
class Tree:
    """Files by path (`usr/bin/python3`, no leading slash); the last one added under a path wins."""

    members: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def add_file(self, path: str, data: bytes, *, mode: int = 0o644, owner: int = 0) -> None:
        info = tarfile.TarInfo()
        info.size, info.mode, info.uid, info.gid = len(data), mode, owner, owner
        self._add(path, info, data)

    def add_folder(self, path: str, *, mode: int = 0o755, owner: int = 0) -> None:
        info = tarfile.TarInfo()
        info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
        self._add(path, info)

    def add_link(self, path: str, target: str) -> None:
        info = tarfile.TarInfo()
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, target
        self._add(path, info)

    def add_tar(self, data: bytes, wanted: Callable[[str], bool]) -> None:
        """Add what a tar holds, where `wanted` says so of its path, with its modes and owners."""
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                path = merged(member.name)
                if path == "." or (path in MERGED.values() and not member.isdir()) or not wanted(path):
                    continue
                if member.islnk():
                    member.linkname = merged(member.linkname)
                source = archive.extractfile(member) if member.isfile() else None
                self._add(path, member, source.read() if source else b"")

    def _add(self, path: str, info: tarfile.TarInfo, data: bytes = b"") -> None:
        """Whoever adds a file adds the folders above it, as far as they are missing."""
        parent = str(PurePosixPath(path).parent)
        if parent != "." and parent not in self.members:
            self.add_folder(parent)
        info.name, info.mtime, info.uname, info.gname, info.pax_headers = path, EPOCH_S, "", "", {}
        self.members[path] = (info, data)

    def without(self, other: "Tree") -> "Tree":
        """What the other tree does not have alike."""
        return Tree({path: entry for path, entry in self.members.items() if not _same(entry, other.members.get(path))})

    def write(self, path: Path) -> None:
        """Write it sorted by path: folders come before what is in them, and hard links after their files."""
        late = sorted(self.members.items(), key=lambda item: (item[1][0].islnk(), item[0]))
        partial = path.with_name(f"{path.name}.partial")
        with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as archive:
            for _, (info, data) in late:
                archive.addfile(info, io.BytesIO(data) if info.isfile() else None)
        partial.replace(path)


def merged(name: str) -> str:
    """A path of a package as it is in a root whose /bin, /lib ... are links into /usr."""
    path = PurePosixPath(name.removeprefix("/"))
    if path.parts and path.parts[0] in MERGED:
        path = PurePosixPath(MERGED[path.parts[0]], *path.parts[1:])
    return str(path)


def _same(one: tuple[tarfile.TarInfo, bytes], other: tuple[tarfile.TarInfo, bytes] | None) -> bool:
    if other is None:
        return False
    (a, data), (b, other_data) = one, other
    return (a.type, a.mode, a.uid, a.gid, a.linkname, data) == (b.type, b.mode, b.uid, b.gid, b.linkname, other_data)
