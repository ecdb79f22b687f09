"""From key events to text, as the host's keyboard driver makes it: modifiers, locks, dead keys, the numeric pad.

The layout is the one that the client names when it connects. What is switched on the desktop itself cannot be seen.
Windows and X differ where Caps Lock is on: here, as in X, it changes letters alone.
"""

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from lucid.wire.rdp.input import Character, Click, Connected, InputEvent, Key, Locks
from lucid.wire.rdp.layouts import DEAD, layout, nearest_code


class Stroke(StrEnum):
    """What is typed and is no character. LEAVE: what follows is typed elsewhere, as after a click or an arrow key."""

    ENTER = "enter"
    BACKSPACE = "backspace"
    LEAVE = "leave"


_ENTER, _BACKSPACE, _CAPS_LOCK, _NUM_LOCK, _SCROLL_LOCK = 0x1C, 0x0E, 0x3A, 0x45, 0x46
_CTRL, _ALT = 0x1D, 0x38
_EXTENDED = 0x100
"""Added to the scancode of a key with the prefix 0xE0."""
_CTRLS = frozenset((_CTRL, _EXTENDED | _CTRL))
_SHIFTS = frozenset((0x2A, 0x36))
_ALTGR = _EXTENDED | _ALT
_WINDOWS = frozenset((_EXTENDED | 0x5B, _EXTENDED | 0x5C))
_HELD = _CTRLS | _SHIFTS | _WINDOWS | {_ALT, _ALTGR, _CAPS_LOCK, _NUM_LOCK}
_SILENT = frozenset((_SCROLL_LOCK, _EXTENDED | 0x2A, _EXTENDED | 0x36))
"""Keys that change nothing; Shift with a prefix is made up by keyboards around keys of the cursor block."""

_PAD = dict(zip(range(0x47, 0x53), "789-456+1230", strict=True))
_PAD_DECIMAL = 0x53
_PAD_ALWAYS = {0x37: "*", 0x4A: "-", 0x4E: "+", _EXTENDED | 0x35: "/", 0x7E: "."}
"""Keys of the numeric pad that type the same with and without Num Lock; 0x7E is on Brazilian ones."""

_MARKS = {
    "´": "\u0301",  # noqa: RUF001
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    "~": "\u0303",
    "¨": "\u0308",
    '"': "\u0308",
    "¸": "\u0327",  # noqa: RUF001
}
"""The combining mark of each accent of a dead key."""
_CEDILLAS = {"'c": "ç", "'C": "Ç"}
"""What the apostrophe of the US international layout makes of c."""
_QUOTES, _VOWELS = "'\"", frozenset("aeiouyAEIOUY")
"""Dead keys that are quotation marks before anything but these: nobody types ś for the end of `it's`."""


@dataclass(slots=True)
class Keyboard:
    """A keyboard and its state; the fields are all of it. `code`: the layout's identifier, as the client sent it.
    `held`: keys that are down and change others. `dead`: the accent that waits for a letter. `high`: the first half of
    a surrogate pair. Without news of the locks, Num Lock is on: so keyboards start."""

    code: int = 0
    held: set[int] = field(default_factory=set)
    caps: bool = False
    num: bool = True
    dead: str = ""
    high: int = 0
    pause: bool = False

    @property
    def layout_name(self) -> str:
        """What the keys are read as; with a note when the client has another layout, which is not known here."""
        name = layout(nearest_code(self.code)).name
        return name if nearest_code(self.code) == self.code else f"{name}, in place of {self.code:#010x}"

    def feed(self, event: InputEvent) -> str | Stroke:
        """What the event types: characters, a stroke, or the empty text."""
        match event:
            case Key():
                return self._key(event)
            case Character(unit):
                return self._character(unit)
            case Connected(code):
                self.code = code
            case Locks(caps, num):
                self.held.clear()
                self.caps, self.num = caps, num
            case Click():
                self.dead = ""
                return Stroke.LEAVE
        return ""

    def _key(self, key: Key) -> str | Stroke:
        if key.extended1 or self.pause:
            # Pause is sent as the prefix 0xE1, Ctrl and then Num Lock without a prefix.
            self.pause = key.extended1
            return ""
        code = key.scancode | (_EXTENDED if key.extended else 0)
        if code in _SILENT:
            return ""
        if code in _HELD:
            self._hold(code, key.down)
            return ""
        return self._press(code) if key.down else ""

    def _hold(self, code: int, down: bool) -> None:
        if not down:
            self.held.discard(code)
        elif code not in self.held:
            self.held.add(code)
            self.caps ^= code == _CAPS_LOCK
            self.num ^= code == _NUM_LOCK

    def _press(self, code: int) -> str | Stroke:
        keys = layout(nearest_code(self.code))
        ctrl = not self.held.isdisjoint(_CTRLS)
        right, left = _ALTGR in self.held, _ALT in self.held
        # Windows takes Ctrl and Alt together for AltGr, and sends both for it.
        altgr = keys.altgr and (right or (ctrl and left))
        if not self.held.isdisjoint(_WINDOWS) or (not altgr and (ctrl or left or right)):
            return self._stroke(Stroke.LEAVE)
        if code & ~_EXTENDED == _ENTER:
            return self._stroke(Stroke.ENTER)
        if code == _BACKSPACE:
            if self.dead:
                self.dead = ""
                return ""
            return Stroke.BACKSPACE
        shift = not self.held.isdisjoint(_SHIFTS)
        if (pad := self._pad(code, shift, keys.decimal)) is not None:
            return pad
        text = _level(keys.keys.get(code, ("", "", "", "")), shift, altgr, self.caps)
        return self._typed(text) if text else self._stroke(Stroke.LEAVE)

    def _pad(self, code: int, shift: bool, decimal: str) -> str | Stroke | None:
        """What a key of the numeric pad types; None for any other key."""
        if code in _PAD_ALWAYS:
            return self._typed(_PAD_ALWAYS[code])
        if code not in _PAD and code != _PAD_DECIMAL:
            return None
        if not self.num or shift:
            return self._stroke(Stroke.LEAVE)
        return self._typed(_PAD.get(code, decimal))

    def _character(self, unit: int) -> str | Stroke:
        if self.held & (_CTRLS | {_ALT}):
            return self._stroke(Stroke.LEAVE)
        high, self.high = self.high, 0
        if 0xD800 <= unit < 0xDC00:
            self.high = unit
            return ""
        if 0xDC00 <= unit < 0xE000:
            return chr(0x1_0000 + (high - 0xD800 << 10) + unit - 0xDC00) if high else ""
        if unit in (0x0A, 0x0D):
            return self._stroke(Stroke.ENTER)
        if unit == 0x08:
            return Stroke.BACKSPACE
        char = chr(unit)
        if unit > 0x20 and char.isspace():  # a no-break space is no printable character to Python
            return " "
        return char if char.isprintable() else self._stroke(Stroke.LEAVE)

    def _stroke(self, stroke: Stroke) -> Stroke:
        self.dead = ""
        return stroke

    def _typed(self, text: str) -> str:
        """The text after an accent that may wait; an accent is kept for the next."""
        dead, self.dead = self.dead, ""
        if text.startswith(DEAD):
            if not dead:
                self.dead = text[1:]
                return ""
            text = text[1:]
        return compose(dead, text) if dead else text


def compose(accent: str, char: str) -> str:
    """What a dead key and the key behind it type: one character if there is such a one; the accent alone for a space;
    else both."""
    if char == " ":
        return accent
    if (special := _CEDILLAS.get(accent + char)) is not None:
        return special
    if accent in _QUOTES and char not in _VOWELS:
        return accent + char
    composed = unicodedata.normalize("NFC", char + _MARKS[accent])
    return composed if len(composed) == 1 else accent + char


def _level(key: tuple[str, str, str, str], shift: bool, altgr: bool, caps: bool) -> str:
    lower, upper = (key[2], key[3]) if altgr else (key[0], key[1])
    if caps and lower.upper() == upper != lower:
        shift = not shift
        caps = False
    text = upper if shift else lower
    capital = text.upper()
    return capital if caps and len(capital) == 1 else text
