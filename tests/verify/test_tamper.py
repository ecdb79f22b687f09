"""No changed byte of a bundle, a chunk or a log is verified, and none makes the verifier crash."""

from lucid.base.errors import InvalidInput
from lucid.verify import verify_bundle
from tests.vectors.build import flip
from tests.verify.conftest import Given

MASKS = (0x01, 0x20, 0x80)
"""The lowest bit, the one between upper and lower case, and the one that leaves ASCII."""


def verified(given: Given) -> bool:
    """Whether a whole verification says so; bad input is a no."""
    try:
        return given.verify(with_log=False).verified
    except InvalidInput:
        return False


def test_the_good_session_is_verified(given: Given) -> None:
    report = given.verify()
    assert report.verified, report.failure
    assert [step.number for step in report.steps if step.outcome == "skipped"] == [13]


def test_any_byte_of_the_bundle(given: Given) -> None:
    """Without recording and log, so nothing of the bundle may depend on them."""
    good = given.bundle
    for position in range(len(good)):
        for mask in MASKS:
            try:
                report = verify_bundle(flip(good, position, mask), given.key)
            except InvalidInput:
                continue
            assert not report.verified, f"byte {position} ^ {mask:#x}"


def test_any_byte_of_a_chunk(given: Given) -> None:
    name, good = list(given.chunks.items())[1]
    for position in range(len(good)):
        given.chunks[name] = flip(good, position, MASKS[position % 3])
        assert not verified(given), f"byte {position}"


def test_any_byte_of_the_log(given: Given) -> None:
    for path, good in given.log.items():
        for position in range(len(good)):
            for mask in MASKS:
                given.log[path] = flip(good, position, mask)
                assert not given.verify_log().verified, f"{path}: byte {position} ^ {mask:#x}"
        given.log[path] = good
    assert given.verify_log().verified


def test_any_file_of_the_log_missing_or_cut(given: Given) -> None:
    for path, good in list(given.log.items()):
        for forged in (None, b"", good[:-1], good + b"\n", good + good):
            given.log.pop(path)
            if forged is not None:
                given.log[path] = forged
            assert not given.verify_log().verified, f"{path}: {forged!r}"
            given.log[path] = good
