"""YAML for people to read: comments, blank lines, anchors and one-line lists stand where the renderer puts them.

A library's emitter would move the bytes of committed files with its own version, and comments are what the files are
read for; so this writes the small part of YAML that Compose files are made of. Tests read it back with PyYAML.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = "str | int | float | bool | Octal | None"
Node: TypeAlias = "Scalar | Mapping[str, Node] | Sequence[Node] | Flow | Anchor | Alias | Noted | Spaced"

MERGE = "<<"
"""The key whose value, an Alias, gives what the mapping does not say itself."""

_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./@+ -]|:(?=\S))*(?<! )|[0-9]+[smg]")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPED = re.compile(r'["\\]|[^\x20-\x7e\xa1-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


@dataclass(frozen=True)
class Octal:
    """A file mode, written as people write it."""

    value: int


@dataclass(frozen=True)
class Flow:
    """A list or mapping of scalars on one line."""

    node: "Mapping[str, Node] | Sequence[Node]"


@dataclass(frozen=True)
class Anchor:
    """A mapping or list that aliases refer to by `name`."""

    name: str
    node: "Mapping[str, Node] | Sequence[Node]"


@dataclass(frozen=True)
class Alias:
    """What the anchor of that name holds."""

    name: str


@dataclass(frozen=True)
class Noted:
    """A node with a comment above its key."""

    note: str
    node: "Node"


@dataclass(frozen=True)
class Spaced:
    """A mapping whose entries have an empty line between them."""

    node: "Mapping[str, Node]"


def dump(node: Mapping[str, Node], note: str = "") -> str:
    """The document, with `note` as the comment at its head. Top-level entries have an empty line between them."""
    lines = [*_comment(note, ""), ""] if note else []
    lines += _block(Spaced(node), 0)
    return "\n".join(lines) + "\n"


def comment(text: str) -> list[str]:
    """The lines of `text` as comment lines."""
    return list(_comment(text, ""))


def scalar(value: Scalar) -> str:
    """The value on one line; a text is quoted unless nobody could read it as anything else."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Octal):
        return f"0{value.value:o}"
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + _ESCAPED.sub(lambda found: _escape(found[0]), value) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return _ESCAPES.get(character) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"{indent}# {line}".rstrip()


def _block(node: Node, depth: int) -> Iterator[str]:
    """The lines of a mapping or list that has a place of its own below its key."""
    spaced = isinstance(node, Spaced)
    if isinstance(node, Spaced):
        node = node.node
    if isinstance(node, Mapping):
        for place, (key, value) in enumerate(node.items()):
            if spaced and place:
                yield ""
            yield from _entry(f"{scalar(key) if key != MERGE else MERGE}:", value, depth)
    elif isinstance(node, Sequence):
        for value in node:
            yield from _entry("-", value, depth)


def _entry(start: str, value: Node, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Noted):
        yield from _comment(value.note, indent)
        value = value.node
    if isinstance(value, Anchor):
        yield f"{indent}{start} &{value.name}"
        yield from _block(value.node, depth + 1)
        return
    on_line = _on_line(value)
    if on_line is not None:
        yield f"{indent}{start} {on_line}".rstrip()
    elif start == "-":
        first, *others = _block(value, depth + 1)
        yield f"{indent}- {first.lstrip()}"
        yield from others
    else:
        yield f"{indent}{start}"
        yield from _block(value, depth + 1)


def _on_line(value: Node) -> str | None:
    """The value as it stands behind its key, or None where it takes lines of its own."""
    match value:
        case Alias(name):
            return f"*{name}"
        case Flow(node):
            return _flow(node)
        case Spaced(node):
            return None if node else "{}"
        case None | str() | int() | float() | Octal():
            return scalar(value)
        case Mapping():
            return None if value else "{}"
        case Sequence():
            return None if value else "[]"
    return None


def _flow(node: Node) -> str:
    if isinstance(node, Flow):
        node = node.node
    if isinstance(node, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(value)}" for key, value in node.items()) + "}"
    if isinstance(node, Sequence) and not isinstance(node, str):
        return "[" + ", ".join(_flow(value) for value in node) + "]"
    assert node is None or isinstance(node, str | int | float | Octal), "a one-line list holds scalars"
    return scalar(node)
