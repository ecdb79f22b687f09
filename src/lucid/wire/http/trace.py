"""W3C Trace Context, level 1: the field `traceparent`."""

import re
import secrets
from dataclasses import dataclass

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """One hop of a trace: ids in hex. `continued` if the caller began it, whose `tracestate` then goes along."""

    id: str
    span: str
    flags: str
    continued: bool

    @property
    def parent(self) -> bytes:
        """As the field `traceparent` of what this hop asks for."""
        return f"00-{self.id}-{self.span}-{self.flags}".encode()


def next_hop(given: bytes | None) -> Trace:
    """The caller's trace with a span of our own, or a new trace when it gave none that is valid."""
    span = secrets.token_hex(8)
    found = _TRACEPARENT.fullmatch(given) if given is not None else None
    # Ids of only zeros are invalid; version 00 has nothing behind the flags.
    if (
        found is None
        or not found[1].strip(b"0")
        or not found[2].strip(b"0")
        or (found[0].startswith(b"00") and found[4])
    ):
        return Trace(secrets.token_hex(16), span, "01", continued=False)
    return Trace(found[1].decode(), span, found[3].decode(), continued=True)
