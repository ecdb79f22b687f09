"""What X makes of keys: the keymaps of xkb, read with libxkbcommon."""

import ctypes
import ctypes.util
from pathlib import Path

DEAD = "◌"
_DEAD_NAMES = {
    "dead_acute": "´",  # noqa: RUF001
    "dead_grave": "`",
    "dead_circumflex": "^",
    "dead_tilde": "~",
    "dead_diaeresis": "¨",
    "dead_cedilla": "¸",  # noqa: RUF001
}
_CORE = 8
"""A key's X code is its set 1 scancode and this, for all keys of the typing block but one."""
_BESIDE_RIGHT_SHIFT = {0x73: 97}


def available() -> bool:
    """Whether this machine has the library and the keymaps."""
    return ctypes.util.find_library("xkbcommon") is not None and Path("/usr/share/X11/xkb/symbols/us").exists()


class _Names(ctypes.Structure):
    """struct xkb_rule_names."""

    _fields_ = [(name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")]


class XkbMap:
    """A keymap of X."""

    def __init__(self, layout: str, variant: str = "") -> None:
        self._lib = lib = ctypes.CDLL(ctypes.util.find_library("xkbcommon") or "")
        lib.xkb_context_new.restype = lib.xkb_keymap_new_from_names.restype = ctypes.c_void_p
        names = _Names(b"evdev", b"abnt2" if layout == "br" else b"pc105", layout.encode(), variant.encode(), None)
        self._keymap = ctypes.c_void_p(
            lib.xkb_keymap_new_from_names(ctypes.c_void_p(lib.xkb_context_new(0)), ctypes.byref(names), 0)
        )
        assert self._keymap

    def levels(self, scancode: int) -> list[str]:
        """What a key types alone, with Shift, with AltGr, and with both; a dead key's accent behind `◌`."""
        code = _BESIDE_RIGHT_SHIFT.get(scancode, scancode + _CORE)
        count = min(self._lib.xkb_keymap_num_levels_for_key(self._keymap, code, 0), 4)
        return [self._text(code, level) for level in range(count)]

    def _text(self, code: int, level: int) -> str:
        found = ctypes.POINTER(ctypes.c_uint32)()
        if self._lib.xkb_keymap_key_get_syms_by_level(self._keymap, code, 0, level, ctypes.byref(found)) != 1:
            return ""
        name = ctypes.create_string_buffer(64)
        self._lib.xkb_keysym_get_name(found[0], name, len(name))
        text = name.value.decode()
        if text.startswith("dead_"):
            return DEAD + _DEAD_NAMES.get(text, text)
        return chr(self._lib.xkb_keysym_to_utf32(found[0])) if self._lib.xkb_keysym_to_utf32(found[0]) else ""
