"""Identifiers: UUID version 7 for sessions, names for hosts and users."""

import os
import re
import time
import uuid
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema


def _uuid7(text: str) -> str:
    value = uuid.UUID(text)
    if str(value) != text or value.version != 7:
        raise ValueError("expected a UUID version 7 in lower case")
    return text


_UUID7_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    "examples": ["019ac1f0-5b7a-7cc3-98c4-dc0c0c07398f"],
}

SessionId = Annotated[str, AfterValidator(_uuid7), WithJsonSchema(_UUID7_SCHEMA)]
"""A session's id: UUID version 7 (RFC 9562), 36 lower-case characters."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
"""The name of a host, user or recorder: 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit."""

NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")


def new_session_id() -> str:
    """A fresh UUID version 7: 48 bits of milliseconds, 74 random bits (RFC 9562 section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def session_bytes(session: str) -> bytes:
    """The 16 bytes of a session id, as they stand in chunk headers."""
    return uuid.UUID(session).bytes
