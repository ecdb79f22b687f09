"""Our log, checked by the packages of Go's checksum database (Debian: golang-go, golang-golang-x-mod-dev)."""

import asyncio
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from lucid.crypto.note import SignerKey
from lucid.drivers.disk.folder import DiskFolder
from tests.chain.memory_folder import ORIGIN, VERIFIER, MemoryFolder, grow, manager_of

GOPATH = Path("/usr/share/gocode")
SOURCE = Path(__file__).parent / "sumdb"
SIZES = (1, 2, 3, 255, 256, 257, 700)

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb").is_dir(),
    reason="needs the Debian packages golang-go and golang-golang-x-mod-dev",
)


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("go")
    environment = {"GOPATH": str(GOPATH), "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(build / "cache")}
    program = build / "sumdb"
    subprocess.run(
        ["go", "build", "-o", str(program), "main.go"], cwd=SOURCE, env={**os.environ, **environment}, check=True
    )
    return program


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A log that has had the trees of SIZES, and ends with the last."""
    folder = MemoryFolder()

    async def build() -> None:
        await grow(await manager_of(folder), *SIZES)

    asyncio.run(build())
    return folder.files


def check(checker: Path, folder: Path, files: dict[str, bytes], key: str = "") -> subprocess.CompletedProcess[str]:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return subprocess.run(
        [str(checker), str(folder), key or VERIFIER.format(), *map(str, SIZES)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_go_accepts_the_log(checker: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    outcome = check(checker, tmp_path, files)
    assert (outcome.stderr, outcome.returncode) == ("", 0)
    assert outcome.stdout == f"700 entries, {len(SIZES)} blocks, {len(SIZES)} earlier trees\n"


async def test_go_accepts_a_log_of_three_levels_on_disk(checker: Path, tmp_path: Path) -> None:
    folder = DiskFolder(tmp_path)
    await grow(await manager_of(folder), *SIZES, 66_000)
    outcome = check(checker, tmp_path, {})
    assert (outcome.stderr, outcome.returncode) == ("", 0)
    assert outcome.stdout.startswith("66000 entries")


def test_go_refuses_another_key(checker: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    outcome = check(checker, tmp_path, files, SignerKey.generate(ORIGIN).verifier.format())
    assert outcome.returncode == 1
    assert "no verifiable signatures" in outcome.stderr


def test_go_refuses_every_tampered_file(checker: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    chooser = random.Random(5)
    for number, path in enumerate(path for path in files if path != "key"):
        data = bytearray(files[path])
        data[chooser.randrange(len(data) - 80 if path[0] in "cb" else len(data))] ^= 1
        outcome = check(checker, tmp_path / str(number), files | {path: bytes(data)})
        assert outcome.returncode == 1, path
