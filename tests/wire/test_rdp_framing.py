"""Cutting streams into PDUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.wire.rdp.pdu import PduReader, ProtocolError, tpkt
from lucid.wire.rdp.updates import BitmapUpdate, Rectangle, fast_path_update
from tests.wire.session import GOLDEN, refusal

PDUS = [path.read_bytes() for path in sorted(GOLDEN.glob("*_*.bin")) if not path.name.startswith("bitmap")]


@given(st.lists(st.integers(1, 5000), max_size=30))
def test_pieces_of_any_size_give_the_same_pdus(sizes: list[int]) -> None:
    stream = b"".join(PDUS)
    reader = PduReader()
    found: list[bytes] = []
    position = 0
    for size in [*sizes, len(stream)]:
        found += reader.feed(stream[position : position + size])
        position += size
    assert found == PDUS
    assert reader.pending == 0


def test_byte_by_byte_gives_the_same_pdus() -> None:
    reader = PduReader()
    assert [pdu for byte in b"".join(PDUS) for pdu in reader.feed(bytes((byte,)))] == PDUS


def test_a_cut_pdu_is_pending() -> None:
    reader = PduReader()
    assert reader.feed(PDUS[0][:-1]) == []
    assert reader.pending == len(PDUS[0]) - 1


@pytest.mark.parametrize("head", [b"\x03\x00\x00\x06", b"\x00\x02", b"\x00\x80\x03", b"\x01\x05", b"\x16\x03\x01\x02"])
def test_impossible_heads_are_refused(head: bytes) -> None:
    with pytest.raises(ProtocolError):
        PduReader().feed(head)


def test_a_pdu_above_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(ProtocolError, match="limit"):
        PduReader(max_pdu=1000).feed(b"\x03\x00\x03\xe9")
    with pytest.raises(ProtocolError):
        tpkt(bytes(65_532))
    rectangle = Rectangle(0, 0, 99, 99, 100, 100, 32, False, bytes(40_000))
    with pytest.raises(ProtocolError):
        fast_path_update(BitmapUpdate((rectangle,)))


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    reader = PduReader(max_pdu=200)
    detail = refusal(reader.feed, data)
    assert "\n" not in detail
    assert reader.pending <= len(data)
