"""`--shares`: keys of recipients that were added after the manifest was written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lucid.base.secret import Secret
from lucid.crypto import age
from lucid.model.bundle import Bundle
from lucid.model.kept import Shares
from lucid.model.manifest import WrappedKey
from lucid.verify.__main__ import main
from tests.verify.test_vectors import DATA

GOOD = DATA / "good"
ARGUMENTS = [str(GOOD / "bundle.json"), "--key", str(GOOD / "key"), "--recording", str(GOOD / "recording")]
AUDITOR = age.new_identity()
_KEYS = json.loads((DATA.parent / "keys.json").read_text())

Shared = Callable[..., list[str]]


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    """Arguments for the auditor, with a file of shares that holds `keys`."""
    identity = tmp_path / "auditor"
    identity.write_text(AUDITOR.reveal())
    manifest = Bundle.from_bytes((GOOD / "bundle.json").read_bytes()).manifest

    def make(*keys: bytes, session: str = manifest.session) -> list[str]:
        recipient = age.recipient_of(AUDITOR)
        wrapped = tuple(WrappedKey(recipient=recipient, wrapped=age.wrap(key, recipient)) for key in keys)
        file = tmp_path / "shares.json"
        file.write_bytes(Shares(session=session, keys=wrapped).to_bytes())
        return [*ARGUMENTS, "--identity", str(identity), "--shares", str(file)]

    return make


def data_key() -> bytes:
    return age.unwrap(_KEYS["owner"]["wrapped"], Secret(_KEYS["owner"]["identity"]))


def test_an_auditor_opens_the_recording_with_a_share(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shared(data_key())) == 0
    assert "11  decryption" in capsys.readouterr().out


def test_shares_that_do_not_fit_are_passed_over(shared: Shared) -> None:
    assert main(shared(b"short", data_key())) == 0


@pytest.mark.parametrize("keys", [(), (b"short",), (bytes(32),)])
def test_without_the_right_key_no_chunk_opens(
    shared: Shared, keys: tuple[bytes, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shared(*keys)) == 1
    assert "NOT VERIFIED: step 11 decryption" in capsys.readouterr().out


def test_shares_of_another_session_are_bad_input(shared: Shared, capsys: pytest.CaptureFixture[str]) -> None:
    other = "01930000-0000-7000-8000-00000000ffff"
    assert main(shared(data_key(), session=other)) == 2
    assert f"they are of session {other}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format":"lucid-shares/1"}\n'])
def test_what_is_no_file_of_shares_is_bad_input(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "shares.json"
    file.write_bytes(content)
    assert main([*ARGUMENTS, "--shares", str(file)]) == 2
    assert main([*ARGUMENTS, "--shares", str(tmp_path / "nonesuch")]) == 2
