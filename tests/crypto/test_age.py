"""Wrapped keys, and that the stock age program reads and writes them too."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from lucid.base.errors import Corrupted, InvalidInput
from lucid.base.secret import Secret
from lucid.crypto import age

needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="the age program is not installed")


def test_what_was_wrapped_opens_with_its_identity_alone() -> None:
    identity, other = age.new_identity(), age.new_identity()
    wrapped = age.wrap(b"k" * 32, age.recipient_of(identity))
    assert age.unwrap(wrapped, identity) == b"k" * 32
    with pytest.raises(Corrupted):
        age.unwrap(wrapped, other)


@pytest.mark.parametrize("wrapped", ["", "?", "é", "AAAA", base64.b64encode(b"age-encryption.org/v1\n").decode()])
def test_what_is_no_age_file_is_refused(wrapped: str) -> None:
    with pytest.raises(Corrupted):
        age.unwrap(wrapped, age.new_identity())


def test_any_changed_byte_of_the_file_is_refused() -> None:
    identity = age.new_identity()
    file = base64.b64decode(age.wrap(b"k" * 32, age.recipient_of(identity)))
    for position in range(len(file)):
        forged = file[:position] + bytes([file[position] ^ 1]) + file[position + 1 :]
        with pytest.raises(Corrupted):
            age.unwrap(base64.b64encode(forged).decode(), identity)


def test_bad_keys_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"^recipient: "):
        age.wrap(b"", "age1nothing")
    with pytest.raises(InvalidInput, match=r"^identity: "):
        age.recipient_of(Secret("AGE-SECRET-KEY-1NOTHING"))


@needs_age
def test_the_age_program_opens_what_we_wrap(tmp_path: Path) -> None:
    identity = age.new_identity()
    (tmp_path / "identity").write_text(identity.reveal() + "\n")
    (tmp_path / "key.age").write_bytes(base64.b64decode(age.wrap(b"k" * 32, age.recipient_of(identity))))
    command = ["age", "-d", "-i", str(tmp_path / "identity"), str(tmp_path / "key.age")]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"k" * 32


@needs_age
def test_we_open_what_the_age_program_wraps() -> None:
    identity = age.new_identity()
    command = ["age", "-r", age.recipient_of(identity)]
    file = subprocess.run(command, check=True, capture_output=True, input=b"k" * 32).stdout
    assert age.unwrap(base64.b64encode(file).decode(), identity) == b"k" * 32
