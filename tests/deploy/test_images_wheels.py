"""Wheels for images: pip is asked when the lock or what it fetched is another than before."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lucid.base.errors import Unavailable
from lucid.deploy.images import wheels
from lucid.deploy.images.packages import BOOKWORM
from lucid.deploy.images.platform import AMD64


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """How often pip was; it leaves one file."""
    calls: list[Sequence[str]] = []

    def run(argv: Sequence[str], *, about: str) -> str:
        calls.append(argv)
        (folder,) = (Path(word.removeprefix("--dest=")) for word in argv if word.startswith("--dest="))
        if "broken" in (folder.parent / "lock.txt").read_text():
            raise Unavailable(about)
        (folder / "one.whl").write_bytes(b"a wheel")
        return ""

    monkeypatch.setattr(wheels, "run", run)
    return calls


def test_pip_is_asked_once(asked: list[Sequence[str]], tmp_path: Path) -> None:
    lock, folder = tmp_path / "lock.txt", tmp_path / "wheels"

    def fetch() -> int:
        wheels.fetch_wheels(tmp_path, lock.name, folder, BOOKWORM, AMD64)
        return len(asked)

    lock.write_text("one")
    assert (fetch(), fetch()) == (1, 1)
    lock.write_text("another")
    assert (fetch(), fetch()) == (2, 2)
    (folder / "one.whl").write_bytes(b"damaged")
    assert (fetch(), fetch()) == (3, 3)
    (folder / "one.whl").unlink()
    assert (fetch(), fetch()) == (4, 4)
    assert [path.name for path in folder.iterdir()] == ["one.whl"], "it is what images are built from"
    lock.write_text("broken")
    for _ in range(2):
        with pytest.raises(Unavailable):
            fetch()
    assert len(asked) == 6
