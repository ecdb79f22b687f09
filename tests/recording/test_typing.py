"""Lines out of the frames of segments: their words and times, whole wherever segments end."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lucid.base.secret import Secret
from lucid.model.frame import Direction, Frame, encode_frames, scan_frames
from lucid.ports.recording import TypedLine
from lucid.recording.typed_text import LINE_LENGTH, PAUSE_US, SEGMENT_LINES, TypedReader
from lucid.wire.rdp.client import ClientHandshake
from lucid.wire.rdp.mcs import SendData
from lucid.wire.rdp.relay import Relay
from lucid.wire.rdp.share import INFO_UNICODE, ClientInfo
from lucid.wire.rdp.x224 import ConnectionRequest

CLIENT = ClientHandshake(username="", password=Secret(""))
INITIAL = (Path(__file__).parents[1] / "wire" / "golden" / "freerdp_connect_initial.bin").read_bytes()
GERMAN_INITIAL = INITIAL.replace(b"\x09\x04\0\0", b"\x07\x04\0\0")
LEFT, BACKSPACE, Z = (0x4B, True), (0x0E, False), (0x2C, False)


def press(scancode: int, extended: bool) -> bytes:
    down, up = (CLIENT.key(scancode, down=down, extended=extended) for down in (True, False))
    return down + up


def frames(*data: bytes, gap_us: int = 1000, first_us: int = 0) -> list[Frame]:
    return [Frame(first_us + n * gap_us, Direction.CLIENT_TO_SERVER, piece) for n, piece in enumerate(data)]


def read(segments: Iterable[Sequence[Frame]], *, last: bool = True) -> list[TypedLine]:
    """What is read from the segments, each with a reader that knows only the state before it."""
    segments, state, lines = list(segments), b"", list[TypedLine]()
    for number, segment in enumerate(segments):
        reader = TypedReader(state)
        ends = last and number == len(segments) - 1
        last_us = segment[-1].time_us if segment else 0
        client: list[bytes | memoryview] = []
        scan_frames(encode_frames(segment), client)
        lines += reader.read(b"".join(client), last_us=last_us, last=ends)
        state = reader.state()
    return lines


def texts(*data: bytes) -> list[str]:
    return [line.text for line in read([frames(*data)])]


def test_words_have_the_times_at_which_they_were_begun() -> None:
    typed = frames(*(CLIENT.text(char) for char in "rm  -rf build\nls"))
    assert read([typed]) == [
        TypedLine(text="rm -rf build", times_us=(0, 4000, 8000)),
        TypedLine(text="ls", times_us=(14_000,)),
    ]


def test_corrections_are_followed_and_what_moves_elsewhere_ends_a_line() -> None:
    typed = CLIENT.text("fallbakc"), press(*BACKSPACE) * 2, CLIENT.text("ck")
    assert texts(*typed) == ["fallback"]
    assert texts(CLIENT.text("one"), press(*LEFT), CLIENT.text("two")) == ["one", "two"]
    click = CLIENT.mouse(1, 2, button="left", down=True)
    assert texts(CLIENT.text("one"), click, press(*BACKSPACE), CLIENT.text("two")) == ["one", "two"]
    assert texts(CLIENT.text("one"), CLIENT.mouse(1, 2), CLIENT.text("two")) == ["onetwo"]


def test_what_the_host_sends_is_not_read() -> None:
    typed = Frame(5, Direction.SERVER_TO_CLIENT, CLIENT.text("secret of the host"))
    assert read([[typed]]) == []


def test_a_pause_ends_a_line_before_more_is_typed() -> None:
    first = frames(CLIENT.text("left alone"))
    quiet = [Frame(PAUSE_US + 1, Direction.SERVER_TO_CLIENT, b"")]
    assert read([first], last=False) == []
    assert [line.text for line in read([first, quiet], last=False)] == ["left alone"]
    late = frames(CLIENT.text("later"), first_us=PAUSE_US + 1)
    assert [line.text for line in read([[*first, *late]])] == ["left alone", "later"]


def test_long_lines_are_cut_behind_a_word() -> None:
    lines = texts(CLIENT.text("word " * 100), CLIENT.text("x" * 450))
    assert all(len(line) <= LINE_LENGTH for line in lines)
    assert "".join(lines).replace(" ", "") == "word" * 100 + "x" * 450
    assert set(" ".join(lines[:2]).split()) == {"word"}


def test_more_lines_than_anybody_types_are_dropped() -> None:
    reader = TypedReader()
    flood = encode_frames(frames(CLIENT.text("a\n") * (SEGMENT_LINES + 5)))
    assert len(reader.read(flood, last_us=0, last=True)) == SEGMENT_LINES
    assert reader.dropped == 5


def test_the_layout_is_known_in_all_segments_after_the_first() -> None:
    first, second = frames(GERMAN_INITIAL, press(*Z)), frames(press(*Z), first_us=9000)
    assert [line.text for line in read([first, second])] == ["yy"]
    reader = TypedReader()
    reader.read(encode_frames(first), last_us=0, last=False)
    assert TypedReader(reader.state()).layout == "German"


def test_a_stream_that_cannot_be_followed_costs_the_text_behind_it_alone() -> None:
    broken = b"\x02\x02\x02\x02"
    before, after = frames(CLIENT.text("before"), broken), frames(CLIENT.text("after"), first_us=5000)
    assert [line.text for line in read([before, after])] == ["before"]


def test_one_pdu_that_cannot_be_read_hides_nothing() -> None:
    reader = TypedReader()
    sent = encode_frames(frames(CLIENT.text("before"), b"\x04\x04\xe0\x00", CLIENT.text(" and after")))
    assert [line.text for line in reader.read(sent, last_us=0, last=True)] == ["before and after"]
    assert (reader.unread, reader.broken) == (1, False)


@given(st.data())
def test_segments_may_end_anywhere(data: st.DataObject) -> None:
    """In the middle of a word, of a held key, of an accent, of a PDU."""
    shifted = CLIENT.key(0x2A, down=True) + press(*Z) + CLIENT.key(0x2A, down=False)
    accent = press(0x29, False) + press(0x1E, False)
    stream = GERMAN_INITIAL + shifted + accent + CLIENT.text("two words😀\nüber") + press(*BACKSPACE)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[first:after] for first, after in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    cut = read([frame] for frame in frames(*pieces, gap_us=0))
    assert cut == read([frames(stream)])
    assert [line.text for line in cut] == ["Yâtwo words😀", "übe"]


@given(st.lists(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30), max_size=4))
def test_whatever_is_typed_is_found(lines: list[str]) -> None:
    found = texts(*(CLIENT.text(f"{line}\n") for line in lines))
    assert found == [" ".join(line.split()) for line in lines if line.split()]


def test_the_hosts_password_is_in_no_frame_and_so_in_no_text() -> None:
    """The gateway takes out what the client logs on with, and records nothing of what it puts in."""
    relay = Relay(
        client_request=ConnectionRequest(b"", 1, 0),
        username="desk",
        password=Secret("the-password-of-the-host"),
        domain="",
        channels=frozenset(),
    )
    initial = relay.from_client(INITIAL)
    relay.from_host((Path(__file__).parents[1] / "wire/golden/xrdp_connect_response.bin").read_bytes())
    info = ClientInfo(INFO_UNICODE, "", "ann", Secret("a-ticket-of-the-client"))
    logon = SendData(6, 1003, info.to_payload()).to_bytes()
    sent = [relay.from_client(data) for data in (logon, CLIENT.text("whoami\n"))]
    assert "the-password-of-the-host".encode("utf-16-le") in sent[0].to_peer
    recorded = [piece.record for piece in (initial, *sent)]
    for secret in ("the-password-of-the-host", "a-ticket-of-the-client"):
        assert secret.encode("utf-16-le") not in b"".join(recorded)
    assert texts(*recorded) == ["whoami"]
