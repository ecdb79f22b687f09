"""Words of a text as search compares them: without case, accents and marks, the same in every search engine."""

import html
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_WORD = 64
"""A longer word is compared by its first so many characters."""
MAX_FRAGMENTS = 3
AROUND = 60
"""Characters of a fragment before and behind what matched."""

_ASCII = re.compile(r"[a-z0-9]+")
_PLAIN = str.maketrans({"ø": "o", "đ": "d", "ħ": "h", "\u0131": "i", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that Unicode does not decompose, but people type without their stroke."""
_IDEOGRAPHS = ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Scripts without spaces between words (Chinese, Japanese): each character is a word."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is compared, and where it stands in the text."""

    folded: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """The words of a text: runs of letters and digits."""
    if text.isascii():
        yield from (Word(match[0][:MAX_WORD], match.start(), match.end()) for match in _ASCII.finditer(text.lower()))
        return
    start, parts = 0, list[str]()
    for place, char in enumerate(text):
        folded, alone = _fold(char)
        if parts and (folded is None or alone):
            yield Word("".join(parts)[:MAX_WORD], start, place)
            parts = []
        if folded:
            if not parts:
                start = place
            parts.append(folded)
            if alone:
                yield Word(folded, place, place + 1)
                parts = []
    if parts:
        yield Word("".join(parts)[:MAX_WORD], start, len(text))


@lru_cache(maxsize=8192)
def _fold(char: str) -> tuple[str | None, bool]:
    """What a character adds to a word (nothing: a mark; None: it ends the word), and whether it is a word itself."""
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return "", False
    if category[0] not in "LN":
        return None, False
    folded = unicodedata.normalize("NFKD", char.casefold()).translate(_PLAIN)
    code = ord(char)
    letters = "".join(part for part in folded if part.isalnum())
    return letters, any(low <= code <= high for low, high in _IDEOGRAPHS)


def highlight(text: str, wanted: Collection[str]) -> tuple[str, ...]:
    """The first fragments of `text` that hold words of `wanted` (folded), with `<em>` around these; all else is
    HTML-escaped."""
    if text.isascii() and not any(word in text.lower() for word in wanted):
        return ()  # most texts: looking for the words is far cheaper than splitting the text into its own
    fragments: list[tuple[int, int, list[Word]]] = []
    for word in words(text):
        if word.folded not in wanted:
            continue
        if fragments and word.start <= fragments[-1][1]:
            first, _, marked = fragments[-1]
            fragments[-1] = (first, word.end + AROUND, [*marked, word])
        elif len(fragments) == MAX_FRAGMENTS:
            break
        else:
            fragments.append((max(0, word.start - AROUND), word.end + AROUND, [word]))
    return tuple(_mark(text, first, last, marked) for first, last, marked in fragments)


def _mark(text: str, first: int, last: int, marked: list[Word]) -> str:
    parts, place = list[str](), first
    for word in marked:
        parts += [html.escape(text[place : word.start]), "<em>", html.escape(text[word.start : word.end]), "</em>"]
        place = word.end
    return "".join([*parts, html.escape(text[place:last])])
