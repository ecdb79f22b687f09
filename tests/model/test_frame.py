"""Frames: encoding, and refusal of what is not whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.base.errors import InvalidInput
from lucid.model.frame import Direction, Frame, decode_frames, encode_frames, scan_frames

frames = st.lists(
    st.builds(Frame, st.integers(0, 2**63), st.sampled_from(Direction), st.binary(max_size=50)), max_size=20
).map(lambda found: sorted(found, key=lambda frame: frame.time_us))


@given(frames)
def test_frames_round_trip(found: list[Frame]) -> None:
    data = encode_frames(found)
    assert list(decode_frames(data)) == found
    span = scan_frames(data)
    assert span.count == len(found)
    if found:
        assert (span.first_us, span.last_us) == (found[0].time_us, found[-1].time_us)


@given(frames.filter(bool), st.data())
def test_a_cut_anywhere_but_between_frames_is_refused(found: list[Frame], data: st.DataObject) -> None:
    encoded = encode_frames(found)
    ends = {len(encode_frames(found[:i])) for i in range(len(found) + 1)}
    cut = data.draw(st.integers(0, len(encoded)))
    if cut in ends:
        assert scan_frames(encoded[:cut]).count <= len(found)
    else:
        with pytest.raises(InvalidInput, match="cut"):
            scan_frames(encoded[:cut])


def test_time_that_goes_back_is_refused() -> None:
    data = encode_frames([Frame(2, Direction.EVENT, b""), Frame(1, Direction.EVENT, b"")])
    with pytest.raises(InvalidInput, match="time goes back"):
        scan_frames(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_bad_input(data: bytes) -> None:
    try:
        found = list(decode_frames(data))
    except InvalidInput:
        return
    assert encode_frames(found) == data
