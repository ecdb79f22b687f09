"""Every vector ends as its name says, on the command line; and the vectors are what their generator makes."""

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lucid.verify.__main__ import main
from tests.vectors.build import ZSTD_VERSION
from tests.vectors.make import render

DATA = Path(__file__).parent.parent / "vectors" / "data"
INDEX: list[dict[str, Any]] = json.loads((DATA / "index.json").read_text())


@pytest.mark.parametrize("vector", INDEX, ids=lambda vector: str(vector["name"]))
def test_vector(vector: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)
    args = dict(vector["args"])
    bundle = [args.pop("bundle")] if "bundle" in args else []
    flags = ["--strict"] if args.pop("strict", False) else []
    options = [word for name, value in args.items() for word in (f"--{name}", value)]
    status = main(["--json", *flags, *bundle, *options])
    out, err = capsys.readouterr()
    if vector["expect"] == "bad-input":
        assert status == 2
        assert out == ""
        assert err.count("\n") == 1
        return
    report = json.loads(out)
    failed = [step for step in report["steps"] if step["outcome"] == "failed"]
    assert [step["number"] for step in failed] == ([] if vector["expect"] == "ok" else [vector["expect"]]), failed
    assert report["verified"] == (vector["expect"] == "ok")
    assert status == (0 if report["verified"] else 1)
    given = {f"--{name}" for name in args} if bundle else {"--log", *(f"--{name}" for name in args)}
    for step in report["steps"]:
        if step["outcome"] == "skipped" and report["verified"]:
            needed = set(step["detail"].removeprefix("needs ").split(" and "))
            assert not needed & given, f"{step} was skipped although given"


def test_every_step_has_a_vector_that_fails_there() -> None:
    assert {vector["expect"] for vector in INDEX} == {*range(1, 15), "ok", "bad-input"}
    assert len({vector["name"] for vector in INDEX}) == len(INDEX)


@pytest.mark.skipif(zstandard.ZSTD_VERSION != ZSTD_VERSION, reason="another zstd writes other bytes")
def test_the_generator_makes_the_same_bytes() -> None:
    made = render()
    there = {str(path.relative_to(DATA)): path.read_bytes() for path in DATA.rglob("*") if path.is_file()}
    assert set(there) == set(made)
    assert [path for path in made if made[path] != there[path]] == []
