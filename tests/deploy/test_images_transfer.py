"""Images in files and registries, with a docker that notes what it is asked for."""

import json
import sys
from pathlib import Path

import pytest

from lucid.base.errors import Corrupted, InvalidInput, Unavailable
from lucid.deploy.images import sbom, transfer
from lucid.deploy.images.platform import AMD64, ARM64, Naming

PROGRAM = """#!{python}
import json, pathlib, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "save":
    if "missing" in sys.argv:
        sys.exit("No such image: missing")
    pathlib.Path(sys.argv[3]).write_bytes(b"images")
if sys.argv[1] == "load":
    print("Loaded image: pickme/lucid-x:latest-arm64")
if sys.argv[1] == "scan":
    pathlib.Path(sys.argv[-1].partition("=")[2]).write_text(sys.argv[2])
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_text(PROGRAM.format(python=sys.executable, log=str(tmp_path / "log")))
    path.chmod(0o755)
    return path


def asked(program: Path) -> list[list[str]]:
    return [json.loads(line) for line in program.with_name("log").read_text().splitlines()]


def test_what_was_saved_can_be_loaded(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "images.tar"
    transfer.save(str(program), ["a", "b"], file)
    assert file.read_bytes() == b"images"
    assert transfer.digest_file(file).read_text().endswith("  images.tar\n")
    assert transfer.load(str(program), file) == ["pickme/lucid-x:latest-arm64"]


@pytest.mark.parametrize(("changed", "content"), [("images.tar", b"imageS"), ("images.tar.sha256", b"")])
def test_a_changed_file_is_not_loaded(program: Path, tmp_path: Path, changed: str, content: bytes) -> None:
    file = tmp_path / "images.tar"
    transfer.save(str(program), ["a"], file)
    (tmp_path / changed).write_bytes(content)
    with pytest.raises(Corrupted, match="is not what was saved"):
        transfer.load(str(program), file)
    assert [words[0] for words in asked(program)] == ["save"]


def test_a_missing_file_is_bad_input(program: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        transfer.load(str(program), tmp_path / "images.tar")


def test_an_image_that_was_not_built_leaves_no_file(program: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such image: missing"):
        transfer.save(str(program), ["missing"], tmp_path / "images.tar")
    assert not list(tmp_path.glob("images.tar*"))


def test_an_index_stands_for_all_platforms(program: Path) -> None:
    transfer.push(str(program), ["session-api"], [AMD64, ARM64], Naming(registry="r.test"), index="latest")
    name = "r.test/pickme/lucid-session-api"
    assert asked(program) == [
        ["push", "--quiet", f"{name}:latest-amd64"],
        ["push", "--quiet", f"{name}:latest-arm64"],
        ["buildx", "imagetools", "create", "--tag", f"{name}:latest", f"{name}:latest-amd64", f"{name}:latest-arm64"],
    ]


def test_an_index_needs_a_tag_for_each_platform(program: Path) -> None:
    with pytest.raises(InvalidInput, match="--index"):
        transfer.push(str(program), ["x"], [AMD64, ARM64], Naming(tag="v1"), index="latest")


def test_images_with_the_same_layers_share_a_bill(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbom, "syft", lambda: str(program))
    entries = [
        {"Id": f"sha256:{name}", "RootFS": {"Layers": layers}, "Config": {"Labels": {"org.lucid.service": name}}}
        for name, layers in (("a", ["1"]), ("b", ["1"]), ("c", ["2"]))
    ]
    digests = sbom.write_sboms(entries, tmp_path / "bills")
    assert [words[1] for words in asked(program)] == ["docker:sha256:a", "docker:sha256:c"]
    assert digests["a"] == digests["b"] != digests["c"]
    assert digests["b"] == transfer.sha256(tmp_path / "bills/b.spdx.json")
