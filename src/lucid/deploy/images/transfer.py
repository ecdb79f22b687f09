"""Images to and from where they run: registries, and files for machines without one."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lucid.base.errors import Corrupted, InvalidInput, Unavailable
from lucid.deploy.images.platform import Naming, Platform
from lucid.deploy.images.process import follow, run

CHUNK = 1 << 20


def digest_file(path: Path) -> Path:
    """Where the SHA-256 of a file of images is kept, as `sha256sum --check` reads it."""
    return path.with_name(f"{path.name}.sha256")


def save(docker: str, images: Sequence[str], path: Path) -> None:
    """Write images with all their layers, each once, to a file that `load` or `docker load` reads. Raises Unavailable
    when one of them has not been built."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        run([docker, "save", "--output", str(partial), *images], about="save")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    digest_file(path).write_text(f"{sha256(path)}  {path.name}\n")


def load(docker: str, path: Path) -> list[str]:
    """Give the engine the images of a file, and return their names. Raises InvalidInput when there is no such file,
    Corrupted when it is not as it was written."""
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    if digest_file(path).is_file() and [sha256(path).encode()] != digest_file(path).read_bytes().split()[:1]:
        raise Corrupted(f"{path} is not what was saved: its SHA-256 differs from {digest_file(path).name}")
    printed = run([docker, "load", "--input", str(path)], about=f"load {path}")
    return [line.partition(": ")[2] for line in printed.splitlines() if line.startswith("Loaded image")]


def push(docker: str, names: Sequence[str], platforms: Sequence[Platform], naming: Naming, *, index: str = "") -> None:
    """Push images of each platform; with `index` also a tag of that name that stands for all platforms. Raises
    InvalidInput, Unavailable."""
    if index and naming.tag:
        raise InvalidInput("--index: needs a tag for each platform, so leave --tag out")
    for name in names:
        tagged = [naming.image(name, platform) for platform in platforms]
        for image in tagged:
            follow([docker, "push", "--quiet", image], about=f"push {image}")
        if index:
            target = f"{tagged[0].rpartition(':')[0]}:{index}"
            run([docker, "buildx", "imagetools", "create", "--tag", target, *tagged], about=f"index {target}")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    return digest.hexdigest()
