"""Input events out of a client's stream: hand-made PDUs (MS-RDPBCGR 2.2.8.1), and those of FreeRDP."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.wire.rdp import share
from lucid.wire.rdp.input import Character, Click, Connected, InputEvent, InputReader, Key, Locks
from lucid.wire.rdp.mcs import SendData
from lucid.wire.rdp.pdu import ProtocolError
from lucid.wire.rdp.share import ShareControl, ShareData

GOLDEN = Path(__file__).parent / "golden"
CONNECTION = b"".join(
    (GOLDEN / f"freerdp_{name}.bin").read_bytes() for name in ("connect_initial", "erect_domain", "confirm_active")
)


def events(stream: bytes) -> list[InputEvent]:
    return list(InputReader().feed(stream))


def slow_path(*records: bytes, channel: int = 1003) -> bytes:
    """An input PDU on a channel; a record is an event's type, flags and fields, without its time."""
    body = len(records).to_bytes(2, "little") + b"\0\0" + b"".join(b"\1\2\3\4" + record for record in records)
    control = ShareControl(share.DATA, 1007, ShareData(0x1_03EA, share.INPUT, body).to_body())
    return SendData(6, channel, control.to_bytes()).to_bytes()


@pytest.mark.parametrize(
    ("pdu", "found"),
    [
        ("0404 001e", [Key(0x1E, down=True)]),
        ("0404 011e", [Key(0x1E, down=False)]),
        ("0404 0238", [Key(0x38, down=True, extended=True)]),
        ("0404 041d", [Key(0x1D, down=True, extended1=True)]),
        ("0403 66", [Locks(caps=True, num=True)]),
        ("0403 60", [Locks(caps=False, num=False)]),
        ("0405 803dd8", [Character(0xD83D)]),
        ("0405 813dd8", []),
        ("0409 20 0008 0100 0200", []),
        ("0409 20 0090 0100 0200", [Click()]),
        ("0409 20 0010 0100 0200", []),
        ("0409 20 7802 0100 0200", []),
        ("0409 40 0180 0100 0200", [Click()]),
        ("0407 c0 01020304", []),
        ("0c07 001e 011e 60", [Key(0x1E, down=True), Key(0x1E, down=False), Locks(caps=False, num=False)]),
        ("0006 02 001e 60", [Key(0x1E, down=True), Locks(caps=False, num=False)]),
        ("048005 001e", [Key(0x1E, down=True)]),
    ],
)
def test_fast_path_events(pdu: str, found: list[InputEvent]) -> None:
    assert events(bytes.fromhex(pdu)) == found


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ("0400 0000 1e00 0000", [Key(0x1E, down=True)]),
        ("0400 0040 1e00 0000", [Key(0x1E, down=True)]),
        ("0400 00c0 1e00 0000", [Key(0x1E, down=False)]),
        ("0400 0001 3800 0000", [Key(0x38, down=True, extended=True)]),
        ("0400 0002 1d00 0000", [Key(0x1D, down=True, extended1=True)]),
        ("0500 0000 e400 0000", [Character(0xE4)]),
        ("0500 0080 e400 0000", []),
        ("0000 0000 0600 0000", [Locks(caps=True, num=True)]),
        ("0180 0090 0100 0200", [Click()]),
        ("0180 0008 0100 0200", []),
        ("0280 0280 0100 0200", [Click()]),
        ("0200 0000 0000 0000", []),
    ],
)
def test_slow_path_events(record: str, found: list[InputEvent]) -> None:
    assert events(CONNECTION + slow_path(bytes.fromhex(record)))[1:] == found


def test_the_layout_comes_with_the_connection() -> None:
    assert events(CONNECTION) == [Connected(0x409)]


def test_what_other_channels_carry_is_no_input() -> None:
    record = bytes.fromhex("0400 0000 1e00 0000")
    assert events(CONNECTION + slow_path(record, channel=1004))[1:] == []
    assert events(slow_path(record)) == []  # and before the channel is known, none is


def test_input_of_freerdp() -> None:
    found = events((GOLDEN / "freerdp_input_fast_path.bin").read_bytes())
    assert found
    assert all(isinstance(event, Key | Locks | Click) for event in found)


@pytest.mark.parametrize("pdu", ["0503 00", "0402", "03000006"])
def test_a_broken_stream_is_refused(pdu: str) -> None:
    with pytest.raises(ProtocolError):
        events(bytes.fromhex(pdu))


@pytest.mark.parametrize("pdu", ["0404 e000", "0403 00", "8404 001e", "03000008 02f080 64", "03000007 02f081"])
def test_what_cannot_be_read_hides_nothing_behind_it(pdu: str) -> None:
    reader = InputReader()
    assert list(reader.feed(bytes.fromhex(pdu + "0404 001e"))) == [Key(0x1E, down=True)]
    assert reader.unread == 1


@given(st.lists(st.binary(max_size=12), max_size=8))
def test_no_bytes_raise_anything_else(pieces: list[bytes]) -> None:
    reader = InputReader()
    try:
        for piece in pieces:
            list(reader.feed(piece))
    except ProtocolError:
        pass


@given(st.data())
def test_pieces_make_no_difference(data: st.DataObject) -> None:
    stream = CONNECTION + bytes.fromhex("0c07001e011e60") + slow_path(bytes.fromhex("0400 0000 1e00 0000"))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, found = InputReader(), []
    for first, after in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += list(reader.feed(stream[first:after]))
        reader = InputReader(reader.pending, reader.io_channel)
    assert found == events(stream)
    assert reader.pending == b""
