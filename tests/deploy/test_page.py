"""docs/deployment.md and its picture. Whether the committed ones are current, tests/cli/test_deploy_render.py says."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lucid.catalog.types import TRON_NETWORK, Container
from lucid.deploy.catalog import Catalog
from lucid.deploy.measured import AT_REST_MIB
from lucid.deploy.page import PAGE, page_files
from lucid.deploy.picture import PICTURE, picture_files
from lucid.deploy.planned import planned

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def page(files: dict[str, str]) -> dict[str, str]:
    return sections(files[PAGE])


@pytest.mark.parametrize("section", ["Containers", "Dependencies", "Secrets", "Limits"])
def test_every_container_has_its_row(page: dict[str, str], catalog: Catalog, section: str) -> None:
    for piece in catalog.pieces:
        assert page[section].count(f"`{piece.name}` |") == 1


def test_every_table_is_whole(files: dict[str, str]) -> None:
    assert not re.search(r"\{\{ \w+ \}\}", files[PAGE]), "a place that no table was put into"
    tables = re.findall(r"(?:^\|.*\|$\n)+", files[PAGE], flags=re.MULTILINE)
    assert len(tables) > 10
    for table in tables:
        rows = table.splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[0]
        assert len(rows) > 2


def test_all_limits_and_the_budgets_of_what_comes_later_fit_a_pi(page: dict[str, str], catalog: Catalog) -> None:
    memory = [resources.memory_mib for resources in (one.resources for one in (*catalog.pieces, *planned(catalog)))]
    assert len(memory) == 27
    assert f"| all 27 | {sum(memory)} |" in page["Limits"]
    assert sum(memory) + 600 <= 8052, "what the kernel of a Pi with 8 GB leaves, in MiB"


def test_what_was_measured_is_of_containers_that_exist(catalog: Catalog) -> None:
    limits = {piece.name: piece.resources.memory_mib for piece in catalog.pieces}
    assert all(measured < limits[name] for name, measured in AT_REST_MIB.items())


def test_links_lead_somewhere(files: dict[str, str]) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", files[PAGE]):
        assert (DOCS / target).exists() or f"docs/{target}" in files, target


def test_the_picture_shows_every_container_once(files: dict[str, str], catalog: Catalog) -> None:
    drawing = ElementTree.fromstring(files[PICTURE])
    names = [text.text for text in drawing.iter(f"{SVG}text") if text.get("class") == "name"]
    expected = [one.name for one in (*catalog.pieces, *planned(catalog))]
    assert sorted(map(str, names)) == sorted(expected)
    width, height = (int(drawing.attrib[side]) for side in ("width", "height"))
    for box in drawing.iter(f"{SVG}rect"):
        assert int(box.get("x", "0")) + int(box.attrib["width"]) <= width
        assert int(box.get("y", "0")) + int(box.attrib["height"]) <= height


def test_a_container_stands_in_its_network_and_leaves_the_list_of_what_comes_later() -> None:
    like = Catalog().services[0]
    new = replace(
        like, name="tron-staking", phase=4, networks=(TRON_NETWORK,), container=Container(), summary="one | two"
    )
    catalog = Catalog(services=(*Catalog().services, new))
    assert "tron-staking" not in {one.name for one in planned(catalog)}
    assert page_files(catalog)[PAGE].count("one \\| two") >= 1
    drawing = ElementTree.fromstring(picture_files(catalog)[PICTURE])
    rects = {box.get("class"): box for box in drawing.iter(f"{SVG}rect") if box.get("class") in {"pi", "tron"}}
    (name,) = [text for text in drawing.iter(f"{SVG}text") if text.text == "tron-staking"]
    assert int(name.attrib["x"]) > int(rects["tron"].attrib["x"])
