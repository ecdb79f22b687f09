"""What images are called, what they are built for, and where Debian's archive is."""

from pathlib import Path

import pytest

from lucid.base.errors import InvalidInput, Unavailable
from lucid.deploy.catalog import Catalog
from lucid.deploy.images.bake import TOOLS, images_of
from lucid.deploy.images.debian import Source, parse_stanzas, sources
from lucid.deploy.images.platform import AMD64, ARM64, Naming, platforms_of

STANZAS = """\
Types: deb
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.test/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://mirror.test/off
Suites: bookworm
"""


def test_images_are_named_as_the_spec_says() -> None:
    assert Naming().image("lucid-mongodb", ARM64) == "pickme/lucid-mongodb:latest-arm64"
    assert Naming().image("api-gateway", AMD64) == "pickme/lucid-api-gateway:latest-amd64"


def test_every_part_of_a_name_can_be_chosen() -> None:
    naming = Naming(registry="registry.test:5000/", prefix="mine/", tag="v1")
    assert naming.image("session-api", ARM64) == "registry.test:5000/mine/session-api:v1"


@pytest.mark.parametrize("text", ["linux/arm64,linux/amd64", "arm64,amd64", "arm64, linux/amd64,arm64"])
def test_platforms(text: str) -> None:
    assert platforms_of(text) == (ARM64, AMD64)


@pytest.mark.parametrize("text", ["", "linux/riscv64", "arm64,", "windows/amd64"])
def test_an_unknown_platform_is_bad_input(text: str) -> None:
    with pytest.raises(InvalidInput, match="--platform: expected"):
        platforms_of(text)


def test_all_containers_of_the_catalog_have_an_image() -> None:
    catalog = Catalog()
    assert [image.name for image in images_of(catalog)] == [piece.name for piece in catalog.pieces]


def test_a_name_is_taken_with_and_without_its_prefix() -> None:
    (short,), (long,) = images_of(Catalog(), ["mongodb"]), images_of(Catalog(), ["lucid-mongodb"])
    assert short == long
    assert images_of(Catalog(), ["lucid-tools"]) == (TOOLS,)


def test_an_unknown_image_is_bad_input() -> None:
    with pytest.raises(InvalidInput, match="no image 'nginx'; there are: lucid-mongodb"):
        images_of(Catalog(), ["nginx"])


def test_stanzas_join_lines_that_go_on() -> None:
    assert list(parse_stanzas("A: one\n  two\nB: three\n\n\nA: four\n")) == [
        {"A": "one two", "B": "three"},
        {"A": "four"},
    ]


def test_mirrors_are_those_of_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "debian.sources").write_text(STANZAS)
    (folder / "other.list").write_text(
        "deb [arch=amd64] http://elsewhere.test/node nodistro main\n# deb http://x bookworm main\n"
    )
    (tmp_path / "sources.list").write_text("deb [signed-by=/key.gpg] http://old.test/debian trixie main\n")
    assert sources(tmp_path) == (
        Source("http://mirror.test/debian", "", "/usr/share/keyrings/debian.gpg"),
        Source("http://mirror.test/debian", "-updates", "/usr/share/keyrings/debian.gpg"),
        Source("http://mirror.test/security", "-security", ""),
        Source("http://old.test/debian", "", "/key.gpg"),
    )


def test_a_source_names_the_wanted_release() -> None:
    assert (
        Source("http://m.test", "-security", "/k").line("trixie")
        == "deb [signed-by=/k] http://m.test trixie-security main"
    )


def test_without_debian_it_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="knows no archive of Debian"):
        sources(tmp_path)
