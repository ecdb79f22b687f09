"""Deployment sets on disk: what is kept, and what an interruption leaves."""

from pathlib import Path

import pytest

from lucid.base.errors import Corrupted, NotFound
from lucid.deploy.launch.durable import append, write
from lucid.deploy.launch.sets import KEPT, Content, DeploymentSet, Image, SetPhase, Sets, State

TIME = "2026-11-23T05:00:00.000000Z"


def made(text: str, digit: str = "a") -> Content:
    phase = SetPhase(number=1, name="foundation", title="First", containers=("alpha",))
    image = Image(name="pickme/lucid-alpha:latest-arm64", id="sha256:" + digit * 64)
    return Content({"docker-compose.foundation.yml": text.encode()}, (phase,), {"alpha": image})


def complete(sets: Sets, text: str, digit: str = "a") -> DeploymentSet:
    done = sets.change(sets.create(made(text, digit), time=TIME, lucid="1"), State.COMPLETE)
    sets.make_current(done)
    return done


@pytest.fixture
def sets(tmp_path: Path) -> Sets:
    return Sets(tmp_path / "sets")


def test_nothing_at_first(sets: Sets) -> None:
    assert (sets.all(), sets.current()) == ([], None)
    with pytest.raises(NotFound):
        sets.get(1)


def test_a_set_is_numbered_and_kept(sets: Sets, tmp_path: Path) -> None:
    one = sets.create(made("one"), time=TIME, lucid="1")
    assert (one.number, one.state, one.containers) == (1, State.WANTED, ("alpha",))
    assert (sets.folder(1) / "docker-compose.foundation.yml").read_text() == "one"
    assert sets.folder(1).stat().st_mode & 0o077 == 0
    assert sets.create(made("two"), time=TIME, lucid="1").number == 2
    assert Sets(tmp_path / "sets").get(1) == one


def test_only_one_that_ran_is_gone_back_to(sets: Sets) -> None:
    first = complete(sets, "one")
    sets.change(sets.create(made("bad"), time=TIME, lucid="1"), State.FAILED, "why")
    third = complete(sets, "three")
    assert sets.before(third.number) == first
    assert sets.before(first.number) is None
    assert sets.current() == third


def test_half_a_set_is_none(sets: Sets) -> None:
    """What a power loss leaves of a set that was being written."""
    complete(sets, "one")
    (sets.folder(1).parent / ".new-2").mkdir()
    (sets.folder(1).parent / "9").mkdir()
    assert [one.number for one in sets.all()] == [1]
    assert sets.create(made("two"), time=TIME, lucid="1").number == 2


def test_old_sets_go_with_the_names_of_their_images(sets: Sets) -> None:
    for digit in "12345678":
        complete(sets, digit, digit)
    for text in ("bad", "worse"):
        sets.change(sets.create(made(text, "8"), time=TIME, lucid="1"), State.FAILED)
    gone = sets.retire()
    assert [one.number for one in sets.all()] == [4, 5, 6, 7, 8, 10]
    assert len([one for one in sets.all() if one.state is State.COMPLETE]) == KEPT
    assert gone == {f"pickme/lucid-alpha:set-{digit * 12}" for digit in "123"}


def test_the_current_set_stays_however_old(sets: Sets) -> None:
    for digit in "1234567":
        complete(sets, digit, digit)
    sets.make_current(sets.get(1))
    sets.retire()
    assert [one.number for one in sets.all()] == [1, 4, 5, 6, 7]


def test_a_damaged_file_is_named(sets: Sets) -> None:
    complete(sets, "one")
    (sets.folder(1) / "set.json").write_text("{")
    with pytest.raises(Corrupted, match=r"1/set\.json"):
        sets.current()


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("pickme/lucid-alpha:latest", "pickme/lucid-alpha:set-aaaaaaaaaaaa"),
        ("registry:5000/pickme/lucid-alpha", "registry:5000/pickme/lucid-alpha:set-aaaaaaaaaaaa"),
        ("registry:5000/alpha:1", "registry:5000/alpha:set-aaaaaaaaaaaa"),
    ],
)
def test_the_name_of_an_image_says_which_it_is(name: str, pinned: str) -> None:
    assert Image(name=name, id="sha256:" + "a" * 64).pinned == pinned


def test_the_digest_is_over_names_and_bytes() -> None:
    assert made("one").configuration == made("one").configuration
    assert made("one").configuration != made("two").configuration
    assert Content({"ab": b"c"}, (), {}).configuration != Content({"a": b"bc"}, (), {}).configuration


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write(path, b"one")
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_line_stands_by_itself_after_one_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    append(path, b"one")
    path.write_bytes(path.read_bytes() + b"tw")
    append(path, b"three")
    assert path.read_bytes() == b"one\ntw\nthree\n"
