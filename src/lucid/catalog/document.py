"""Pages of docs/ out of the code: every environment variable with its default and meaning; what each role may do."""

from collections.abc import Iterator

from lucid.base.secret import Secret
from lucid.base.settings import Settings
from lucid.catalog.keys import KEYS
from lucid.catalog.services import SERVICES
from lucid.model.permission import MEANINGS, ROLE_NAMES, ROLES, Permission


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


_ROLES_PAGE = """\
# Roles

An account has one role; a role is a set of permissions. A personal API token has those permissions of its owner that
were chosen for it. Permissions that end in `-all` are about everybody's things, the plain ones about one's own. How
accounts and roles are managed: [accounts.md](accounts.md). Written by `make docs` from
`src/lucid/model/permission.py`; a test keeps it current.
"""


def roles_page() -> str:
    """docs/roles.md: which permissions each role has."""
    lines = [
        _ROLES_PAGE,
        f"| permission | allows to | {' | '.join(ROLE_NAMES)} |",
        f"|---|---|{':-:|' * len(ROLE_NAMES)}",
    ]
    for permission in Permission:
        marks = " | ".join("x" if permission in ROLES[role] else " " for role in ROLE_NAMES)
        lines.append(f"| `{permission.value}` | {MEANINGS[permission]} | {marks} |")
    return "\n".join(lines) + "\n"
