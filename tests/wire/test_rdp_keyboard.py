"""Text out of key events: the ways of keyboards, and of the layouts that xkb has as well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.wire.rdp.input import Character, Click, Connected, InputEvent, Key, Locks
from lucid.wire.rdp.keyboard import Keyboard, Stroke, compose
from lucid.wire.rdp.layouts import DEAD, layout, nearest_code
from tests.wire.xkb import XkbMap, available

US, INTERNATIONAL, GERMAN, FRENCH, SWISS, BRAZILIAN, RUSSIAN = 0x409, 0x2_0409, 0x407, 0x40C, 0x807, 0x416, 0x419
SHIFT, RIGHT_SHIFT, CTRL, ALT, CAPS, NUM = 0x2A, 0x36, 0x1D, 0x38, 0x3A, 0x45
ALTGR, WINDOWS = 0x138, 0x15B
BACKSPACE, ENTER, SPACE = 0x0E, 0x1C, 0x39
XKB = {
    US: "us",
    INTERNATIONAL: "us:intl",
    0x809: "gb",
    GERMAN: "de",
    SWISS: "ch",
    0x100C: "ch:fr",
    FRENCH: "fr",
    0x80C: "be",
    0x40A: "es",
    0x80A: "latam",
    0x410: "it",
    0x413: "nl",
    0x816: "pt",
    BRAZILIAN: "br",
    0x415: "pl",
    0x41D: "se",
    0x40B: "fi",
    0x406: "dk",
    0x414: "no",
    RUSSIAN: "ru",
}
UNLIKE_XKB = {
    US: {0x56: "\\|"},  # not on this keyboard; xkb has <>
    INTERNATIONAL: {0x28: "◌'◌\"´¨"},  # noqa: RUF001 - xkb: the accents by name, and the signs with AltGr
    0x809: {0x29: "`¬¦", 0x12: "eEéÉ", 0x16: "uUúÚ", 0x17: "iIíÍ", 0x18: "oOóÓ", 0x1E: "aAáÁ"},
    GERMAN: {0x0C: "ß?\\ẞ"},
    SWISS: {0x02: "1+¦", 0x05: "4ç°", 0x06: "5%§"},
    0x100C: {0x02: "1+¦", 0x05: "4ç°", 0x06: "5%§"},
    FRENCH: {0x29: "²", 0x03: "é2◌~", 0x08: "è7◌`"},
    0x40A: {0x05: "4$◌~", 0x06: "5%€"},
    0x410: {0x06: "5%€"},
    0x413: {0x56: "][¦", 0x32: "mMµ"},  # the micro sign; xkb has the Greek letter
    0x816: {0x06: "5%€"},
    BRAZILIAN: {0x2E: "cC₢"},
    0x415: {0x16: "uU€", 0x56: "\\|"},
    0x40B: {0x06: "5%€"},
    0x406: {0x06: "5%€"},
    0x414: {0x06: "5%€"},
    RUSSIAN: {0x56: "\\/"},
}
"""Keys on which Windows, whose identifiers these are, differs from xkb."""


def keys(*codes: int) -> list[InputEvent]:
    """Down, as in typing with all keys held; a negative code goes up."""
    return [Key(abs(code) & 0xFF, down=code > 0, extended=abs(code) > 0xFF) for code in codes]


def typed(code: int, *codes: int) -> str:
    """What is typed on a layout, with `⏎`, `⌫` and `|` for the strokes."""
    keyboard = Keyboard(code)
    signs = {Stroke.ENTER: "⏎", Stroke.BACKSPACE: "⌫", Stroke.LEAVE: "|"}
    parts = [keyboard.feed(event) for event in keys(*codes)]
    return "".join(signs[part] if isinstance(part, Stroke) else part for part in parts)


@pytest.mark.parametrize(
    ("code", "codes", "text"),
    [
        (US, (0x23, 0x12, 0x26, 0x26, 0x18), "hello"),
        (US, (SHIFT, 0x23, -SHIFT, 0x17, RIGHT_SHIFT, 0x02), "Hi!"),
        (US, (CAPS, -CAPS, 0x1E, 0x02, SHIFT, 0x1E), "A1a"),
        (US, (CAPS, CAPS, -CAPS, 0x1E, CAPS, 0x1E), "Aa"),  # held, it repeats and toggles once
        (US, (0x1E, 0x1E, -0x1E), "aa"),  # and a letter types as often as it repeats
        (US, (CTRL, 0x2E, -CTRL, 0x2E), "|c"),
        (US, (ALT, 0x0F, -ALT, 0x1E), "|a"),
        (US, (ALTGR, 0x10), "|"),  # this layout has no AltGr
        (US, (WINDOWS, 0x13), "|"),
        (US, (0x1E, BACKSPACE, ENTER, 0x11C), "a⌫⏎⏎"),
        (US, (0x1E, 0x14B, 0x30, 0x0F, 0x3B), "a|b||"),  # left arrow, Tab, F1
        (GERMAN, (0x15, 0x2C, 0x0C, 0x1A), "zyßü"),
        (GERMAN, (ALTGR, 0x10, 0x12), "@€"),
        (GERMAN, (CTRL, ALTGR, 0x10, -ALTGR, -CTRL, 0x10), "@q"),  # as Windows sends AltGr
        (GERMAN, (CTRL, ALT, 0x10), "@"),
        (GERMAN, (ALTGR, 0x1E), "|"),
        (GERMAN, (0x29, 0x1E), "â"),
        (GERMAN, (0x29, 0x21), "^f"),
        (GERMAN, (0x29, SPACE), "^"),
        (GERMAN, (0x29, 0x29), "^^"),
        (GERMAN, (0x29, BACKSPACE, 0x1E), "a"),
        (GERMAN, (0x0D, 0x12, SHIFT, 0x0D, -SHIFT, 0x1E), "éà"),
        (FRENCH, (0x10, 0x1E, 0x03, 0x0B, SHIFT, 0x03), "aqéà2"),
        (FRENCH, (SHIFT, 0x1A, -SHIFT, 0x17), "ï"),
        (FRENCH, (ALTGR, 0x0B), "@"),
        (SWISS, (CAPS, 0x1A, SHIFT, 0x1A), "ÜÈ"),
        (INTERNATIONAL, (0x28, 0x2E, 0x28, 0x12, 0x28, 0x1F), "çé's"),
        (INTERNATIONAL, (SHIFT, 0x28, -SHIFT, 0x16), "ü"),
        (BRAZILIAN, (0x73, ALTGR, 0x73), "/°"),
        (RUSSIAN, (0x22, 0x30, 0x13), "пик"),
        (GERMAN, (0x47, 0x53, 0x52, NUM, 0x47), "7,0|"),
        (US, (0x4F, 0x53, 0x4E, 0x135, SHIFT, 0x50), "1.+/|"),
        (US, (SHIFT, 0x12A, -0x12A, 0x1E), "A"),  # a made-up Shift comes and goes with a prefix
        (0x42A, (0x10,), "q"),  # unknown: US
    ],
)
def test_typing(code: int, codes: tuple[int, ...], text: str) -> None:
    assert typed(code, *codes) == text


def test_pause_is_neither_ctrl_nor_num_lock() -> None:
    keyboard = Keyboard(US)
    for down in (True, False):
        keyboard.feed(Key(CTRL, down, extended1=True))
        keyboard.feed(Key(NUM, down))
    assert keyboard == Keyboard(US)
    assert keyboard.feed(Key(0x4F, down=True)) == "1"


def test_locks_are_set_and_all_keys_are_up() -> None:
    keyboard = Keyboard(US)
    for event in [*keys(SHIFT, CTRL), Locks(caps=True, num=False)]:
        keyboard.feed(event)
    assert keyboard.feed(Key(0x1E, down=True)) == "A"
    assert keyboard.feed(Key(0x4F, down=True)) is Stroke.LEAVE


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ([0xE4], "ä"),
        ([0xD83D, 0xDE00], "😀"),
        ([0xDE00, 0x41], "A"),
        ([0xD83D, 0x41], "A"),
        ([0x0D], Stroke.ENTER),
        ([0x08], Stroke.BACKSPACE),
        ([0x1B], Stroke.LEAVE),
    ],
)
def test_characters_regardless_of_the_layout(units: list[int], text: str | Stroke) -> None:
    keyboard = Keyboard(RUSSIAN)
    *first, last = [keyboard.feed(Character(unit)) for unit in units]
    assert "".join(first) == ""
    assert last == text


def test_a_click_ends_what_is_typed_and_an_accent_that_waits() -> None:
    keyboard = Keyboard(GERMAN)
    keyboard.feed(Key(0x29, down=True))
    assert keyboard.feed(Click()) is Stroke.LEAVE
    assert keyboard.feed(Key(0x1E, down=True)) == "a"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (0x407, "German"),
        (0x416, "Brazilian"),
        (0x1_0407, "German, in place of 0x00010407"),
        (0x42A, "US, in place of 0x0000042a"),
        (0, "US, in place of 0x00000000"),
    ],
)
def test_which_layout_stands_for_one_that_is_not_here(sent: int, name: str) -> None:
    keyboard = Keyboard()
    assert keyboard.feed(Connected(sent)) == ""
    assert keyboard.layout_name == name


@pytest.mark.skipif(not available(), reason="needs libxkbcommon and the keymaps of xkb")
@pytest.mark.parametrize("code", XKB)
def test_the_layouts_are_those_of_x(code: int) -> None:
    """Alone and with Shift every key types what X says; with AltGr, every key that types anything here: X has more."""
    name, _, variant = XKB[code].partition(":")
    ours, theirs = layout(code).keys, XkbMap(name, variant)
    unlike = UNLIKE_XKB.get(code, {})
    compared = 0
    for scancode, levels in ours.items():
        if scancode == SPACE:
            continue
        if scancode in unlike:
            assert "".join(levels) == unlike[scancode]
            continue
        found = [*theirs.levels(scancode), "", "", ""][:4]
        assert list(levels[:2]) == found[:2], hex(scancode)
        for ours_here, theirs_here in zip(levels[2:], found[2:], strict=True):
            assert ours_here in ("", theirs_here), hex(scancode)
        compared += 1
    assert compared >= 40


@given(st.sampled_from(sorted(XKB)), st.sampled_from([(), (SHIFT,), (ALTGR,), (SHIFT, ALTGR)]), st.data())
def test_every_key_types_its_level(code: int, held: tuple[int, ...], data: st.DataObject) -> None:
    scancode = data.draw(st.sampled_from(sorted(layout(code).keys)))
    level = (SHIFT in held) + 2 * (ALTGR in held)
    text = layout(code).keys[scancode][level]
    if ALTGR in held and not layout(code).altgr:
        text = ""
    found = typed(code, *held, scancode)
    if text.startswith(DEAD):
        assert found == ""
        assert typed(code, *held, scancode, *(-key for key in held), SPACE) == text[1:]
    else:
        assert found == (text or "|")


@given(
    st.lists(
        st.builds(Key, st.integers(0, 255), st.booleans(), st.booleans(), st.booleans())
        | st.builds(Character, st.integers(0, 0xFFFF))
        | st.builds(Locks, st.booleans(), st.booleans())
        | st.builds(Connected, st.integers(0, 0xFFFF_FFFF))
        | st.just(Click())
    )
)
def test_no_events_do_harm(events: list[InputEvent]) -> None:
    keyboard = Keyboard()
    for event in events:
        found = keyboard.feed(event)
        assert isinstance(found, Stroke) or len(found) <= 2
        if not isinstance(found, Stroke):
            assert found.isprintable()
            found.encode()
    assert layout(nearest_code(keyboard.code)).keys


@pytest.mark.parametrize(
    ("accent", "char", "text"),
    [("´", "e", "é"), ("~", "n", "ñ"), ("¨", "U", "Ü"), ("¸", "c", "ç"), ("`", "x", "`x"), ("^", " ", "^")],  # noqa: RUF001
)
def test_accents(accent: str, char: str, text: str) -> None:
    assert compose(accent, char) == text
