"""docs/settings.md out of the catalog: every environment variable with its default and meaning."""

from collections.abc import Iterator

from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.catalog.keys import KEYS
from lucid.catalog.services import SERVICES


def _default(settings: type[Settings], name: str) -> str:
    field = settings.model_fields[name]
    if field.is_required():
        return "from the keys"
    if field.default_factory is not None:
        return "XDG folder"
    value = field.default.reveal() if isinstance(field.default, Secret) else field.default
    return f"`{value}`" if value not in (None, "", ()) else "empty"


def settings_rows(settings: type[Settings]) -> Iterator[str]:
    """One Markdown table row a field."""
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{(prefix + name).upper()}` | {_default(settings, name)} | {meaning} |"


def settings_page(runtime: type[Settings]) -> str:
    """The whole page; `runtime` is the settings class of the runtime, which the catalog does not know."""
    head = ["| variable | default | meaning |", "|---|---|---|"]
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable. Secrets may also be given as the name of a file, in the same",
        "variable with `_FILE` at its end. Written by `make docs` from the catalog; a test keeps it current.",
        "",
        "## The platform",
        "",
        *head,
        *settings_rows(runtime),
    ]
    for service in SERVICES:
        lines += ["", f"## {service.name}", "", f"{service.summary[0].upper()}{service.summary[1:]}.", ""]
        lines += [f"Port {service.port} in its container, {service.embedded_port} where all share a host.", ""]
        rows = list(settings_rows(service.settings))
        lines += [*head, *rows] if rows else ["No settings."]
    lines += ["", "## Keys", "", "Files of mode 0600 in the data folder's `keys/`, made at the first start.", ""]
    lines += ["| file | kind | what it does |", "|---|---|---|"]
    lines += [f"| `{key.name}` | {key.kind} | {key.about} |" for key in KEYS]
    return "\n".join(lines) + "\n"
