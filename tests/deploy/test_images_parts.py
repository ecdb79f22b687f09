"""Parts of images: assembled again when the archive has other packages, or what was made is not as it was."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from lucid.deploy.images import rootfs
from lucid.deploy.images.packages import BOOKWORM
from lucid.deploy.images.platform import AMD64
from lucid.deploy.images.rootfs import Assembler
from lucid.deploy.images.tarball import Tree


class Archive:
    """In place of apt: a package a name, of the version that the archive has."""

    version = "1"

    def __init__(self, folder: Path, *_: str) -> None:
        self._folder = folder

    def update(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def closure(self, wanted: Iterable[str], _dropped: frozenset[str]) -> tuple[str, ...]:
        return tuple(sorted(wanted))

    def download(self, names: Sequence[str]) -> tuple[Path, ...]:
        paths = tuple(self._folder / f"{name}_{self.version}.deb" for name in names)
        for path in paths:
            path.write_text(path.name)
        return paths


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many packages were, each time."""
    calls: list[int] = []

    def unpack(debs: Iterable[Path]) -> Tree:
        tree, paths = Tree(), list(debs)
        calls.append(len(paths))
        for path in paths:
            tree.add_file(f"usr/{path.stem}", path.read_bytes())
        return tree

    monkeypatch.setattr(rootfs, "Apt", Archive)
    monkeypatch.setattr(rootfs, "unpacked", unpack)
    return calls


def test_what_is_there_is_not_assembled_again(
    unpacked: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> tuple[int, bytes, bytes]:
        unpacked.clear()
        assembler = Assembler(tmp_path, BOOKWORM, AMD64)
        base, redis = assembler.write("base").read_bytes(), assembler.write("redis").read_bytes()
        return len(unpacked), base, redis

    times, base, redis = write()
    assert (times, write()) == (2, (0, base, redis))
    part = tmp_path / "bookworm-amd64/redis.tar"
    part.write_bytes(b"cut off")
    assert write() == (2, base, redis)  # the base too, because a part is what that has not
    part.unlink()
    assert write() == (2, base, redis)
    monkeypatch.setattr(Archive, "version", "2")
    times, newer, _ = write()
    assert (times, newer != base) == (2, True)
