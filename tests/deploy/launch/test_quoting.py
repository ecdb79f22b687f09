"""A value in an environment file is read back as it is, by Compose and by us."""

import json
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.base.errors import InvalidInput
from lucid.catalog.types import Phase
from lucid.deploy.environment import quoted
from lucid.deploy.launch.preparing import with_values

PHASE = Phase(1, "one", "One")
# All that is printable, which is all that is taken, but the backslash.
LETTERS = st.characters(exclude_categories=("C", "Z"), exclude_characters="\\") | st.sampled_from(" '\"$#={}")
VALUES = st.text(LETTERS, max_size=30)
AWKWARD = ["it's", "''", "'", '"', "a #b", "#a", " a ", "$HOME", "${X:-1}", "$$", "a=b", "export A=1", "{}", "!`x`", ""]


def written(values: list[str]) -> str:
    names = {f"V{number}": value for number, value in enumerate(values)}
    text = "".join(f"#{name}=\n" if number % 2 else f"{name}=old\n" for number, name in enumerate(names))
    return with_values({PHASE: text}, names)[PHASE]


@given(st.lists(VALUES, max_size=8))
def test_read_by_us(values: list[str]) -> None:
    assert list(dotenv_values(stream=StringIO(written(values)), interpolate=False).values()) == values


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=100, max_size=200))
def test_read_by_compose(docker: str, tmp_path: Path, values: list[str]) -> None:
    values = [*AWKWARD, *values]
    (tmp_path / "env").write_text(written(values))
    named = "".join(f"      V{number}:\n" for number in range(len(values)))
    (tmp_path / "compose.yml").write_text(f"services:\n  one:\n    image: one\n    environment:\n{named}")
    command = [docker, "compose", "--env-file", "env", "-f", "compose.yml", "config", "--format", "json"]
    shown = json.loads(subprocess.check_output(command, cwd=tmp_path))["services"]["one"]["environment"]
    # It writes a $ as Compose files do.
    assert [shown[f"V{number}"].replace("$$", "$") for number in range(len(values))] == values


@given(st.sampled_from(["\\", "\n", "\r", "\x00", "\x1b", "\u2028"]), VALUES)
def test_what_they_read_differently_is_refused(letter: str, rest: str) -> None:
    with pytest.raises(InvalidInput, match="LUCID_A: expected one line of text"):
        with_values({PHASE: "LUCID_A=\n"}, {"LUCID_A": f"{rest}{letter}{rest}"})


def test_plain_values_need_no_quotes() -> None:
    assert quoted("/mnt/myssd/Lucid/data") == "/mnt/myssd/Lucid/data"
