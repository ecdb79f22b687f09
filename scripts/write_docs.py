"""Writes the pages of docs/ that are made from the code."""

from pathlib import Path

from lucid.catalog.document import roles_page, settings_page
from lucid.runtime.settings import RuntimeSettings

Path("docs/settings.md").write_text(settings_page(RuntimeSettings))
Path("docs/roles.md").write_text(roles_page())
