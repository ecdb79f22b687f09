"""Writes the pages of docs/ that are made from the code."""

from pathlib import Path

from lucid.catalog.document import settings_page
from lucid.runtime.settings import RuntimeSettings

Path("docs/settings.md").write_text(settings_page(RuntimeSettings))
