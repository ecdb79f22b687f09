"""docs/settings.md says what the code reads."""

from pathlib import Path

from lucid.catalog.document import settings_page
from lucid.runtime.settings import RuntimeSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == settings_page(RuntimeSettings), "run `make docs`"


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in settings_page(RuntimeSettings).splitlines() if line.startswith("| `LUCID_")]
    assert rows
    assert not [row for row in rows if row.endswith("|  |")]
