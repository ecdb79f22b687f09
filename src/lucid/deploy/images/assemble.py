"""What the build stages run: installs wheels, copies the code, and compiles all of it to bytecode.

It runs in the builder image, which has Python and pip and no shell. Nothing here may be imported from elsewhere.
Bytecode is marked to be taken without looking at its source again: the files of an image do not change, and a read-only
root could not keep what Python would compile. All files get one time, so that the same input gives the same layer.
"""

import argparse
import ast
import compileall
import importlib.util
import marshal
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from py_compile import PycInvalidationMode

EPOCH_S = 1_700_000_000
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
NO_PYTHON_3 = re.compile(r"/(lib2to3|test|tests)/")
"""Folders of the standard library with files that are not meant to compile."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_UNCHECKED = 0b01
"""The flags of bytecode that is taken without looking at its source (PEP 552)."""


def stdlib(base: Path, out: Path) -> None:
    """Compile the standard library in `base` (the /usr/lib of an image), as far as that was not done, to `out`/usr/lib.
    The bytecode alone goes there."""
    for library in sorted(base.glob("python3.*")):
        if library.is_symlink() or not (library / "os.py").is_file() or (library / "__pycache__").is_dir():
            continue
        if library.name != f"python{sys.version_info.major}.{sys.version_info.minor}":
            sys.exit(f"the base image has {library.name}, the builder image Python {sys.version.split()[0]}")
        place = out / "usr/lib" / library.name
        shutil.copytree(library, place, ignore=shutil.ignore_patterns("dist-packages", "ensurepip", "lib2to3"))
        compiled(place, f"/usr/lib/{library.name}")
        without_docstrings(place, f"/usr/lib/{library.name}")
        for path in sorted(place.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.parent.name != "__pycache__":
                path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    settled(out)


def wheels(folder: Path, locks: Path, out: Path) -> None:
    """Install what the build argument LOCK names in `locks`, from the wheels in `folder`, for the machine that the
    image is for."""
    machine = MACHINES[os.environ["TARGETARCH"]]
    platforms = [f"--platform={tag}_{machine}" for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--require-hashes"),
            *("--only-binary=:all:", "--no-compile", "--no-cache-dir", "--root-user-action=ignore"),
            *platforms,
            *(f"--find-links={folder}", f"--target={out}", f"--requirement={locks / os.environ['LOCK']}"),
        ],
        check=True,
    )
    shutil.rmtree(out / "bin", ignore_errors=True)
    compiled(out, "/opt/lucid/deps")
    without_docstrings(out, "/opt/lucid/deps")
    settled(out)


def code(source: Path, out: Path) -> None:
    """Copy the package `lucid`, or those files of it that are there, and compile it."""
    shutil.copytree(source, out / "lucid", ignore=shutil.ignore_patterns("__pycache__"))
    compiled(out, "/opt/lucid/app")
    settled(out)


def compiled(folder: Path, shown_as: str) -> None:
    """Compile all modules. Tracebacks show them below `shown_as`, where the image has them."""
    compileall.compile_dir(
        folder,
        maxlevels=30,
        stripdir=str(folder),
        prependdir=shown_as,
        force=True,
        rx=NO_PYTHON_3,
        quiet=2,
        workers=0,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not next(folder.rglob(f"*.{sys.implementation.cache_tag}.pyc"), None):
        sys.exit(f"nothing was compiled in {folder} (magic {importlib.util.MAGIC_NUMBER!r})")


def without_docstrings(folder: Path, shown_as: str) -> None:
    """Compile the modules again without their docstrings, which nobody reads in a running service and which are a
    twentieth of its memory. Python's own switch for that, -OO, would leave out what libraries assert too."""
    with ProcessPoolExecutor() as pool:
        paths = sorted(path for path in folder.rglob("*.py") if Path(importlib.util.cache_from_source(path)).exists())
        list(pool.map(partial(_without_docstrings, folder, shown_as), paths, chunksize=20))


def _without_docstrings(folder: Path, shown_as: str, path: Path) -> None:
    source = path.read_bytes()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if node.body[1:] else [ast.copy_location(ast.Pass(), node.body[0])]
    code = compile(tree, f"{shown_as}/{path.relative_to(folder)}", "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + importlib.util.source_hash(source)
    Path(importlib.util.cache_from_source(path)).write_bytes(head + marshal.dumps(code))


def settled(folder: Path) -> None:
    """One time and usual modes for all files."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (EPOCH_S, EPOCH_S), follow_symlinks=False)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("stdlib").add_argument("paths", nargs=2, type=Path)
    steps.add_parser("wheels").add_argument("paths", nargs=3, type=Path)
    steps.add_parser("code").add_argument("paths", nargs=2, type=Path)
    given = parser.parse_args(argv)
    if given.step == "wheels":
        wheels(*given.paths)
    elif given.step == "code":
        code(*given.paths)
    else:
        stdlib(*given.paths)


if __name__ == "__main__":
    main(sys.argv[1:])
