"""docs/roles.md says what the one table of roles says."""

from pathlib import Path

from lucid.catalog.document import roles_page
from lucid.model.permission import MEANINGS, ROLE_NAMES, ROLES, Permission

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == roles_page(), "run `make docs`"


def test_every_permission_has_a_row_with_its_roles() -> None:
    rows = [line.split("|")[1:-1] for line in roles_page().splitlines() if line.startswith("| `")]
    assert [row[0].strip(" `") for row in rows] == [permission.value for permission in Permission]
    assert [row[1].strip() for row in rows] == [MEANINGS[permission] for permission in Permission]
    for row in rows:
        marked = {role for role, mark in zip(ROLE_NAMES, row[2:], strict=True) if mark.strip()}
        assert marked == {role for role in ROLE_NAMES if row[0].strip(" `") in ROLES[role]}
