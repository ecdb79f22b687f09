"""Durations as Go writes them, which Consul's API uses: 10s, 1m30s, 250ms."""

import re

from lucid.services.service_mesh.errors import bad

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_LONGEST_S = 10 * 365 * 86_400.0


def seconds(text: str) -> float:
    """The seconds of a duration. Raises Refusal (400)."""
    if text == "0":
        return 0.0
    position, total = 0, 0.0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or len(text) > 64:
            raise bad(f"invalid duration {text[:64]!r}")
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not text or total > _LONGEST_S:
        raise bad(f"invalid duration {text[:64]!r}")
    return total


def written(total: float) -> str:
    """A duration in seconds for an answer."""
    return f"{total:g}s"
