"""Folders and files as they are found on disks."""

import os
from functools import partial
from pathlib import Path

import pytest

from lucid.base.errors import InvalidInput
from lucid.verify import verify_bundle, verify_log
from lucid.verify.sources import FolderChunks, FolderLog, read_bundle, read_checkpoint_file, read_identity, read_key
from tests.vectors import build, world
from tests.verify.conftest import Given


def write(folder: Path, files: build.Files) -> Path:
    folder.mkdir(exist_ok=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_key_is_a_vkey_or_a_file_that_holds_one(tmp_path: Path) -> None:
    key = build.LOG_KEY.verifier
    (tmp_path / "key").write_text(key.format() + "\n")
    assert read_key(key.format()) == key
    assert read_key(str(tmp_path / "key")) == key
    (tmp_path / "key").write_bytes(b"\xff")
    for text in (str(tmp_path / "key"), str(tmp_path / "none"), "", "a\0b", "a+b+c", "x" * 100_000):
        with pytest.raises(InvalidInput, match=r"key|zero byte"):
            read_key(text)


def test_identity_file_as_age_keygen_writes_it(tmp_path: Path) -> None:
    identity = world.KEYS["owner"]["identity"]
    file = tmp_path / "identity"
    file.write_text(f"# created: today\n# public key: age1\n\n{identity}\n")
    assert read_identity(file).reveal() == identity
    for text in ("", "# nothing\n", f"{identity}\n{identity}\n", "AGE-SECRET-KEY-1NOTHING\n"):
        file.write_text(text)
        with pytest.raises(InvalidInput, match=r"^identity: ") as caught:
            read_identity(file)
        assert "NOTHING" not in str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for read in (read_bundle, read_identity, read_checkpoint_file, FolderChunks, FolderLog):
        with pytest.raises(InvalidInput, match="none"):
            read(tmp_path / "none")
    with pytest.raises(InvalidInput, match="expected a folder with a file 'checkpoint'"):
        FolderLog(tmp_path)


def test_a_text_file_of_endless_length_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"x" * 1_000_001)
    with pytest.raises(InvalidInput, match="over 1000000 bytes"):
        read_checkpoint_file(tmp_path / "checkpoint")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    with pytest.raises(InvalidInput, match="cannot read"):
        read_bundle(tmp_path / "secret")


def test_a_pipe_a_folder_or_a_link_in_place_of_a_chunk_is_a_missing_chunk(given: Given, tmp_path: Path) -> None:
    folder = write(tmp_path / "recording", given.chunks)
    name = sorted(given.chunks)[0]
    (tmp_path / "elsewhere").write_bytes(given.chunks[name])
    for replace in (os.mkfifo, os.mkdir, partial(os.symlink, tmp_path / "elsewhere")):
        path = folder / name
        path.rmdir() if path.is_dir() else path.unlink()
        replace(path)
        report = verify_bundle(given.bundle, given.key, recording=FolderChunks(folder))
        assert report.failure is not None
        assert report.failure.number == 9
        assert f"is missing (file {name})" in report.failure.detail


def test_an_empty_folder_is_the_recording_of_a_session_without_chunks(tmp_path: Path) -> None:
    subject = world.session(chunks=[])
    bundle = build.prove(subject, world.log_with(subject)).to_bytes()
    assert verify_bundle(bundle, build.LOG_KEY.verifier, recording=FolderChunks(tmp_path)).verified


class Growing(FolderLog):
    """A log that a running platform appends to while it is read: after the checkpoint, all else is newer."""

    def __init__(self, path: Path, later: build.Files) -> None:
        super().__init__(path)
        self._later = later

    def read(self, path: str, limit: int) -> bytes | None:
        data = super().read(path, limit)
        if path == "checkpoint" and self._later:
            for old in self._path.rglob("*.p/*"):
                old.unlink()
            write(self._path, self._later)
            self._later = {}
        return data


@pytest.mark.parametrize("more", [1, 5, 250, 300])
def test_a_log_that_grows_while_it_is_read(tmp_path: Path, more: int) -> None:
    _, log = world.good()
    later = log.copy().add(*(build.other_entry(number) for number in range(more)))
    folder = write(tmp_path / "log", log.files())
    report = verify_log(Growing(folder, later.files()), build.LOG_KEY.verifier)
    assert report.verified, report.failure
    assert report.steps[0].detail.startswith(f"{log.size} entries")
