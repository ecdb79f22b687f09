"""`lucid images`: what is listed, and how what cannot be is refused. Engines are scripts here."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lucid.cli.app import app

IMAGE = {
    "Id": f"sha256:{1:064}",
    "RepoTags": ["other:1", "pickme/lucid-redis:latest-arm64"],
    "Os": "linux",
    "Architecture": "arm64",
    "Size": 72_200_000,
    "RootFS": {"Layers": ["a", "b"]},
    "Config": {"User": "65532:65532", "Labels": {"org.lucid.stand-in": "true", "org.lucid.service": "lucid-redis"}},
}


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine with one image, which refuses all but to be asked for it."""
    program = tmp_path / "docker"
    (tmp_path / "answer").write_text(json.dumps([IMAGE]))
    program.write_text(
        f'#!/bin/sh\nif [ "$1 $2" = "image inspect" ]; then cat {tmp_path}/answer; echo "No such image: x" >&2\n'
        "else echo no >&2; fi\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("LUCID_DOCKER", str(program))
    for name in ("LUCID_PLATFORM", "LUCID_IMAGE_TAG", "LUCID_IMAGE_PREFIX", "LUCID_IMAGE_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    return program


def images(*argv: str) -> Result:
    return CliRunner().invoke(app, ["images", *argv])


def test_what_the_engine_has_is_listed() -> None:
    (row,) = json.loads(images("ls", "--json").stdout)
    assert (row["image"], row["platform"]) == ("pickme/lucid-redis:latest-arm64", "linux/arm64")
    assert (row["bytes"], row["layers"], row["stand_in"]) == (72_200_000, 2, True)
    line = images("ls", "redis").stdout.splitlines()[-1]
    assert line.split()[:4] == ["pickme/lucid-redis:latest-arm64", "linux/arm64", "72.2", "MB"]
    assert line.endswith("stand-in for tests")


def test_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("[]")
    done = images("ls", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])


def test_an_engine_that_is_away_is_no_empty_one(docker: Path) -> None:
    docker.write_text("#!/bin/sh\necho '[]'; echo 'Cannot connect to the Docker daemon' >&2; exit 1\n")
    done = images("ls")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "Cannot connect to the Docker daemon" in done.stderr


def test_an_image_without_a_bill_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.deploy.images.sbom.syft", lambda: "/nonexistent/syft")
    done = images("sbom", str(tmp_path / "bills"), "redis", "mongodb")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "the engine has no image pickme/lucid-mongodb:latest-arm64" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("build", "nothing"), "no image 'nothing'"),
        (("build", "--platform", "linux/riscv64"), "--platform: expected linux/amd64, linux/arm64, not 'riscv64'"),
        (("build", "--platform", ""), "--platform: expected"),
        (("build", "--suite", "potato"), "--suite: expected bookworm"),
        (("build", "--platform", "amd64,arm64", "--tag", "v1"), "--tag: v1 can only stand for one platform"),
        (("base", "--platform", "amd64,arm64", "--tag", "v1"), "--tag: v1 can only stand for one platform"),
        (("base", "--suite", "potato"), "--suite: expected bookworm"),
        (("ls", "nothing"), "no image 'nothing'"),
        (("ls", "--platform", "amd64,arm64", "--tag", "v1"), "--tag"),
        (("sbom", "bills", "nothing"), "no image 'nothing'"),
        (("sbom", "docker", "redis"), "docker/arm64: Not a directory"),
        (("save", "file", "nothing"), "no image 'nothing'"),
        (("save", "file", "--platform", "amd64,arm64", "--tag", "v1"), "--tag"),
        (("load", "nowhere"), "nowhere: no such file"),
        (("push", "--index", "latest", "--tag", "v1"), "--index"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lucid.deploy.images.sbom.syft", lambda: "/nonexistent/syft")
    done = images(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("bills of")]
    assert len(lines) == 1
    assert reason in lines[0]


def test_the_tag_of_the_environment_is_for_one_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_IMAGE_TAG", "latest-arm64")
    monkeypatch.setenv("LUCID_PLATFORM", "linux/amd64,linux/arm64")
    assert images("ls").exit_code == 2
    assert images("ls", "--tag", "").exit_code == 0


def test_what_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.deploy.images.sbom.syft", lambda: "/nonexistent/syft")
    done = images("sbom", str(tmp_path / "bills"), "redis")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        "lucid: bill of lucid-redis: /nonexistent/syft is not installed",
    )
    done = images("save", str(tmp_path / "file"), "redis")
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert not (tmp_path / "file").exists()
    monkeypatch.setenv("LUCID_DOCKER", str(tmp_path / "none"))
    done = images("ls")
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)


def test_bills_are_shown_with_their_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syft = tmp_path / "syft"
    syft.write_text('#!/bin/sh\nfor word; do path=${word#spdx-json=}; done\nprintf bill > "$path"\n')
    syft.chmod(0o755)
    monkeypatch.setattr("lucid.deploy.images.sbom.syft", lambda: str(syft))
    done = images("sbom", str(tmp_path / "bills"), "redis", "--json")
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)
    assert row["service"] == "lucid-redis"
    assert (tmp_path / "bills/arm64/lucid-redis.spdx.json").read_text() == "bill"
