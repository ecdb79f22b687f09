"""Words for search, and what of a text is shown around them."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from lucid.model.words import MAX_WORD, highlight, words


def folded(text: str) -> list[str]:
    return [word.folded for word in words(text)]


def test_words_are_runs_of_letters_and_digits() -> None:
    assert folded("Hello, World_2 x-y's") == ["hello", "world", "2", "x", "y", "s"]
    assert folded("東京 ABC会") == ["東", "京", "abc", "会"]
    assert folded("zero\u200bwidth") == ["zerowidth"]


def test_a_highlight_marks_each_occurrence() -> None:
    assert highlight("a <b> A á", {"a"}) == ("<em>a</em> &lt;b&gt; <em>A</em> <em>á</em>",)
    assert highlight("nothing here", {"a"}) == ()
    assert len(highlight(("a" + "-" * 500) * 10, {"a"})) == 3


@given(st.text())
def test_a_word_is_where_it_says_and_folding_again_changes_nothing(text: str) -> None:
    end = 0
    for word in words(text):
        assert end <= word.start < word.end <= len(text)
        end = word.end
        assert 0 < len(word.folded) <= MAX_WORD
        assert word.folded.startswith("".join(folded(text[word.start : word.end]))[:MAX_WORD])


@given(st.text(alphabet="ab <>&\"'é"))
def test_a_highlight_without_its_marks_is_the_escaped_text(text: str) -> None:
    for fragment in highlight(text, {"ab", "e"}):
        assert html.unescape(re.sub(r"</?em>", "", fragment)) in text
