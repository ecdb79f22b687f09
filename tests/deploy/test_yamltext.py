"""YAML is read back as what was written, whatever it holds."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lucid.deploy.yamltext import MERGE, Alias, Anchor, Flow, Noted, Octal, Spaced, dump

TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "",
        "no",
        "Off",
        "null",
        "~",
        "1e3",
        "0x1f",
        "1:30",
        "a: b",
        "a #b",
        "- a",
        "${A:-b}",
        "{a}",
        "*a",
        "é\u2028",
        "\ufeff",
    ]
)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False, width=16)
NODES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(TEXTS.filter(lambda key: key != MERGE), NODES, max_size=4))
@example({"mode": "0400", "time": "12:30:00", "date": "2026-11-23"})
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    assert (yaml.safe_load(dump(document)) or {}) == document


@given(st.lists(TEXTS | st.integers(), max_size=4), st.dictionaries(TEXTS.filter(lambda key: key != MERGE), TEXTS))
def test_one_line_forms_are_read_back(items: list[Any], mapping: dict[str, str]) -> None:
    text = dump({"items": Flow(items), "mapping": Flow(mapping)})
    assert yaml.safe_load(text) == {"items": items, "mapping": mapping}
    assert len(text.splitlines()) == 3


def test_layout() -> None:
    text = dump(
        {
            "x-all": Noted("Shared.\n\nBy all.", Anchor("all", {"user": "65532:65532", "cap_drop": Flow(["ALL"])})),
            "services": Spaced(
                {"a": {MERGE: Alias("all"), "setting": None}, "b": {"list": [{"x": 1, "mode": Octal(0o400)}]}}
            ),
        },
        "Head",
    )
    assert text == (
        "# Head\n\n"
        '# Shared.\n#\n# By all.\nx-all: &all\n  user: "65532:65532"\n  cap_drop: [ALL]\n\n'
        "services:\n  a:\n    <<: *all\n    setting:\n\n"
        "  b:\n    list:\n      - x: 1\n        mode: 0400\n"
    )
    assert yaml.safe_load(text)["services"]["a"] == {"user": "65532:65532", "cap_drop": ["ALL"], "setting": None}


@pytest.mark.parametrize("word", ["yes", "No", "TRUE", "null", "on", "y"])
def test_words_that_mean_something_are_quoted(word: str) -> None:
    assert dump({"a": word}) == f'a: "{word}"\n'
